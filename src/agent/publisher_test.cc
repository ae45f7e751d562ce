#include "publisher.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace fleetward::agent {
namespace {

class FakeConnection : public Connection {
 public:
  Status Connect() override {
    ++connects;
    if (refuse) return Error(Code::kUnavailable, "refused");
    return {};
  }
  void Disconnect() override {
    up = false;
    if (publisher != nullptr) publisher->OnDisconnect("disconnected by us");
  }
  bool connected() const override { return up; }
  Result<int> Publish(const std::string& topic, std::string_view payload) override {
    if (!up) return Error(Code::kUnavailable, "not connected");
    sent.emplace_back(topic, payload);
    return static_cast<int>(sent.size());
  }
  Result<int> Subscribe(const std::string& filter) override {
    filters.push_back(filter);
    return 1;
  }

  Publisher* publisher = nullptr;
  bool up = false, refuse = false;
  int connects = 0;
  std::vector<std::pair<std::string, std::string>> sent;
  std::vector<std::string> filters;
};

class PublisherTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-publisher-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto spool = Spool::Open(folder_ + "/spool", 1 << 20);
    ASSERT_TRUE(spool.ok());
    spool_.emplace(std::move(*spool));
    PublisherOptions options;
    options.thing = "t";
    options.interval_ms = 10000;
    publisher_ = std::make_unique<Publisher>(options, clock_, connection_, &*spool_,
                                             [this](const report::MetricReport& r) { refused_.push_back(*r.report_id); });
    connection_.publisher = publisher_.get();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Up() {
    publisher_->Step();
    connection_.up = true;
    publisher_->OnConnect(0);
  }
  std::uint64_t Submit() {
    report::MetricReport report;
    report.report_id = publisher_->NextReportId();
    publisher_->Submit(report);
    return *report.report_id;
  }
  void Answer(std::optional<std::uint64_t> id, const std::string& code = {}) {
    report::Answer answer;
    answer.thing_name = "t";
    answer.report_id = id;
    answer.accepted = code.empty();
    answer.error_code = code;
    mqtt::Message message;
    message.topic = std::string("$aws/things/t/defender/metrics/json/") + (code.empty() ? "accepted" : "rejected");
    report::EncodeAnswer(answer, report::Format::kJson, message.payload);
    publisher_->OnMessage(message);
  }
  // Steps through time until `done` or two hours have passed.
  template <class Done>
  bool Run(Done done) {
    for (std::int64_t passed = 0; passed < 7200000;) {
      if (done()) return true;
      std::int64_t wait = std::max<std::int64_t>(publisher_->Step(), 1);
      if (done()) return true;
      clock_.Advance(Millis(wait));
      passed += wait;
    }
    return false;
  }

  ManualClock clock_{FromMillis(1700000000000)};
  FakeConnection connection_;
  std::string folder_;
  std::optional<Spool> spool_;
  std::unique_ptr<Publisher> publisher_;
  std::vector<std::uint64_t> refused_;
};

TEST_F(PublisherTest, AcceptedReportIsDone) {
  Up();
  EXPECT_EQ(connection_.filters.size(), 2u);
  std::uint64_t id = Submit();
  EXPECT_EQ(id, 1700000000u);
  EXPECT_EQ(connection_.sent.at(0).first, "$aws/things/t/defender/metrics/json");
  EXPECT_TRUE(publisher_->Waiting());
  Answer(id);
  EXPECT_FALSE(publisher_->Waiting());
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, ReportIdsGrowWhenTheClockStandsStillOrGoesBack) {
  std::uint64_t first = publisher_->NextReportId();
  EXPECT_EQ(publisher_->NextReportId(), first + 1);
  clock_.Advance(Millis(-3600000));
  EXPECT_EQ(publisher_->NextReportId(), first + 2);
}

TEST_F(PublisherTest, WithoutConnectionReportsAreSpooledAndReplayedOneByOne) {
  std::vector<std::uint64_t> ids{Submit(), Submit(), Submit()};
  EXPECT_EQ(spool_->size(), 3u);
  clock_.Advance(Millis(100000));
  Up();
  std::size_t left = ids.size();
  for (std::uint64_t id : ids) {
    std::size_t before = connection_.sent.size();
    ASSERT_TRUE(Run([&] { return connection_.sent.size() > before; }));
    EXPECT_NE(connection_.sent.back().second.find("\"spooled_at\":1700000000"), std::string::npos);
    publisher_->Step();
    EXPECT_EQ(connection_.sent.size(), before + 1) << "the next one waits for the answer";
    EXPECT_EQ(spool_->size(), left) << "a report leaves the spool on accepted only";
    Answer(id);
    EXPECT_EQ(spool_->size(), --left);
  }
}

TEST_F(PublisherTest, ReplayKeepsBelowTwoASecond) {
  for (int i = 0; i < 20; ++i) Submit();
  Up();
  std::int64_t begin = clock_.MonotonicMillis();
  while (spool_->size() > 0) {
    std::size_t before = connection_.sent.size();
    ASSERT_TRUE(Run([&] { return connection_.sent.size() > before; }));
    Answer(spool_->Oldest()->report_id);
  }
  EXPECT_GE(clock_.MonotonicMillis() - begin, 19 * 500);
  EXPECT_LE(clock_.MonotonicMillis() - begin, 20 * 700);
}

TEST_F(PublisherTest, UnansweredReportGoesToTheSpoolAndComesBack) {
  Up();
  std::uint64_t id = Submit();
  ASSERT_TRUE(Run([&] { return spool_->size() == 1; }));
  EXPECT_FALSE(publisher_->Waiting());
  ASSERT_TRUE(Run([&] { return connection_.sent.size() == 2; }));
  ASSERT_TRUE(Run([&] { return connection_.sent.size() == 3; })) << "tried again while there is no answer";
  EXPECT_EQ(spool_->size(), 1u);
  Answer(id);
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, LateAnswerEmptiesTheSpoolToo) {
  Up();
  std::uint64_t id = Submit();
  ASSERT_TRUE(Run([&] { return spool_->size() == 1; }));
  Answer(id);
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, CutConnectionSpoolsWhatIsUnderWay) {
  Up();
  Submit();
  connection_.up = false;
  publisher_->OnDisconnect("lost");
  EXPECT_EQ(spool_->size(), 1u);
  EXPECT_FALSE(publisher_->Waiting());
}

TEST_F(PublisherTest, ThrottledReportIsHandedBackAndPutsOffTheNext) {
  Up();
  std::uint64_t id = Submit();
  Answer(id, "Throttled");
  EXPECT_EQ(refused_, std::vector<std::uint64_t>{id});
  EXPECT_EQ(publisher_->throttle_ms(), 10000);
  Answer(Submit(), "Throttled");
  EXPECT_EQ(publisher_->throttle_ms(), 20000);
  Answer(Submit());
  EXPECT_EQ(publisher_->throttle_ms(), 0);
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, RejectionWithoutAnIdMeansTheOldest) {
  Up();
  std::uint64_t first = Submit();
  Submit();
  Answer(std::nullopt, "InvalidPayload");
  EXPECT_EQ(refused_, std::vector<std::uint64_t>{first});
  EXPECT_TRUE(publisher_->Waiting());
}

TEST_F(PublisherTest, SpooledReportThatIsInvalidIsNotSentForEver) {
  std::uint64_t id = Submit();
  Up();
  ASSERT_TRUE(Run([&] { return connection_.sent.size() == 1; }));
  Answer(id, "Throttled");
  EXPECT_EQ(spool_->size(), 1u) << "only put off";
  ASSERT_TRUE(Run([&] { return connection_.sent.size() == 2; }));
  Answer(id, "InvalidPayload");
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, WaitsBetweenAttemptsDoubleWithinBounds) {
  connection_.refuse = true;
  std::int64_t last = clock_.MonotonicMillis();
  std::vector<std::int64_t> waits;
  for (int attempt = 1; attempt <= 12; ++attempt) {
    ASSERT_TRUE(Run([&] { return connection_.connects == attempt; }));
    waits.push_back(clock_.MonotonicMillis() - last);
    last = clock_.MonotonicMillis();
  }
  for (std::size_t i = 1; i < waits.size(); ++i) {
    std::int64_t base = std::min<std::int64_t>(1000LL << (i - 1), 300000);
    EXPECT_GE(waits[i], base / 2 - 1);
    EXPECT_LE(waits[i], base + 1);
  }
}

// A broker that comes back must not meet its whole fleet at once, however long it was away.
TEST(PublishersTest, AgentsThatWereCutTogetherComeBackSpread) {
  constexpr std::size_t kAgents = 400, kAttempts = 10, kParts = 8;
  std::vector<std::vector<std::int64_t>> waits(kAttempts);  // of all agents before each attempt
  for (std::size_t i = 0; i < kAgents; ++i) {
    ManualClock clock(FromMillis(1700000000000));
    FakeConnection connection;
    PublisherOptions options;
    options.thing = "t";
    Publisher publisher(options, clock, connection, nullptr, [](const report::MetricReport&) {});
    publisher.Step();
    publisher.OnConnect(0);
    connection.refuse = true;
    publisher.OnDisconnect("lost");
    for (std::vector<std::int64_t>& before : waits) {
      const std::int64_t since = clock.MonotonicMillis();
      const int connects = connection.connects;
      for (std::int64_t due = 0; connection.connects == connects; due = publisher.Step()) clock.Advance(Millis(due));
      before.push_back(clock.MonotonicMillis() - since);
    }
  }
  for (std::size_t attempt = 0; attempt < kAttempts; ++attempt) {
    const std::int64_t base = std::min<std::int64_t>(1000LL << attempt, 300000);
    std::array<std::size_t, kParts> parts{};  // of the half of the wait that is left to chance
    for (std::int64_t wait : waits[attempt]) {
      ASSERT_GE(wait, base / 2);
      ASSERT_LE(wait, base);
      std::size_t part = static_cast<std::size_t>(wait - base / 2) * kParts / static_cast<std::size_t>(base / 2);
      ++parts[std::min(part, kParts - 1)];
    }
    for (std::size_t agents : parts) {  // 50 are expected in each
      EXPECT_GE(agents, 10U) << "before attempt " << attempt + 1;
      EXPECT_LE(agents, 110U) << "before attempt " << attempt + 1;
    }
  }
}

TEST_F(PublisherTest, HandshakeThatHangsIsGivenUp) {
  publisher_->Step();
  EXPECT_EQ(connection_.connects, 1);
  ASSERT_TRUE(Run([&] { return connection_.connects == 2; }));
}

TEST_F(PublisherTest, RefusedSubscriptionMakesPubackTheLastWord) {
  Up();
  publisher_->OnSubscribed(1, 128);
  Submit();
  publisher_->OnPublished(1);
  EXPECT_FALSE(publisher_->Waiting());
  EXPECT_EQ(spool_->size(), 0u);
}

TEST_F(PublisherTest, NonsenseAnswersAreIgnored) {
  Up();
  Submit();
  for (const char* payload : {"", "{", "[]", "\"accepted\"", "{\"status\":7}"}) {
    publisher_->OnMessage({"$aws/things/t/defender/metrics/json/accepted", payload, 1, false});
  }
  publisher_->OnMessage({"$aws/things/other/defender/metrics/json/accepted", "{}", 1, false});
  Answer(12345);
  EXPECT_TRUE(publisher_->Waiting());
}

}  // namespace
}  // namespace fleetward::agent
