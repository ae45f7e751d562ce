#include "control_link.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "fleetward/mqtt/testing/fake_broker.h"
#include "fleetward/report/edge_command.h"

namespace fleetward::ingest {
namespace {

using mqtt::FakeBroker;

class ControlLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-link-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    std::ofstream(folder_ + "/secret") << "secret\n";
    broker_ = std::make_unique<FakeBroker>(folder_ + "/ctl.sock");
    ASSERT_TRUE(broker_->ok());
    link_ = std::make_unique<ControlLink>(ControlLink::Options{folder_ + "/ctl.sock", folder_ + "/secret"}, [] {},
                                          counters_);
  }
  void TearDown() override {
    link_.reset();
    std::filesystem::remove_all(folder_);
  }
  // The payloads of the next command's publications.
  std::vector<std::string> NextAnswers() {
    FakeBroker::Packet packet = broker_->Read();
    std::vector<std::string> payloads;
    std::size_t header = 2 + report::kControlTopic.size() + 1;   // the last byte: no MQTT 5 properties
    if (packet.type != FakeBroker::kPublish || packet.body.size() < header) return payloads;
    auto command = report::DecodeEdgeCommand(std::string_view(packet.body).substr(header));
    if (!command.ok() || command->kind != report::EdgeCommandKind::kPublish) return payloads;
    std::string_view rest = command->messages;
    for (auto next = report::NextPublication(rest); next.ok() && *next; next = report::NextPublication(rest)) {
      payloads.emplace_back((*next)->payload);
    }
    return payloads;
  }
  /// The first thing of a connection: the retained message that the link keeps for itself.
  void ExpectProbe() {
    FakeBroker::Packet packet = broker_->Read();
    EXPECT_EQ(packet.type, FakeBroker::kPublish);
    EXPECT_NE(packet.body.find("$fleetward/probe"), std::string::npos);
  }
  std::uint64_t Lost() { return counters_.AddCounter("fleetward_answers_lost_total", "").value(); }

  std::string folder_;
  CounterRegistry counters_;
  std::unique_ptr<FakeBroker> broker_;
  std::unique_ptr<ControlLink> link_;
};

TEST_F(ControlLinkTest, AnswersWaitForTheConnection) {
  link_->Send("t/1", "first");
  link_->Flush();
  link_->Send("t/2", "second");
  link_->Flush();
  link_->Start();
  ASSERT_TRUE(broker_->Accept());
  ExpectProbe();
  EXPECT_EQ(NextAnswers(), (std::vector<std::string>{"first", "second"}));
  link_->Send("t/3", "third");
  link_->Flush();
  EXPECT_EQ(NextAnswers(), (std::vector<std::string>{"third"}));
  EXPECT_EQ(Lost(), 0u);
}

TEST_F(ControlLinkTest, TheOldestOfTooManyAnswersAreLost) {
  const std::string large(40000, 'x');
  for (int i = 0; i < 100; ++i) {  // two a command
    link_->Send("t", std::to_string(i) + large);
    link_->Flush();
  }
  EXPECT_EQ(Lost(), 68u);
  link_->Start();
  ASSERT_TRUE(broker_->Accept());
  ExpectProbe();
  auto answers = NextAnswers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].starts_with("68x"));
}

}  // namespace
}  // namespace fleetward::ingest
