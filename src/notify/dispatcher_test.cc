#include "fleetward/notify/dispatcher.h"

#include <gtest/gtest.h>

#include "fleetward/store/memory_store.h"

namespace fleetward::notify {
namespace {

class ScriptedChannel : public Channel {
 public:
  Attempt Send(const Delivery& delivery) override {
    sent.push_back(delivery.message_id);
    return answer;
  }
  Attempt answer;
  std::vector<Id128> sent;
};

class DispatcherTest : public testing::Test {
 protected:
  void Add(std::uint64_t n) {
    Delivery d;
    d.message_id = Id128{n, 0};
    d.protocol = "email";
    d.created = clock_.Now();
    ASSERT_TRUE(
        store_->Write([&](store::Transaction& tx) { return outbox_.Add(tx, d.message_id, {d}); }).ok());
  }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  Outbox outbox_{*store_, clock_};
  ScriptedChannel channel_;
  CounterRegistry counters_;
  DispatcherSettings settings_;
  Dispatcher dispatcher_{outbox_, clock_, {{"email", &channel_}}, settings_, counters_};
};

TEST_F(DispatcherTest, SendsOnceAndForgets) {
  Add(1);
  EXPECT_EQ(dispatcher_.RunOnce(), 1U);
  EXPECT_EQ(dispatcher_.RunOnce(), 0U);
  EXPECT_EQ(channel_.sent.size(), 1U);
}

TEST_F(DispatcherTest, RetriesLaterAndLater) {
  Add(1);
  channel_.answer = {Failure::kConnect, true, "refused"};
  EXPECT_EQ(dispatcher_.RunOnce(), 1U);
  EXPECT_EQ(dispatcher_.RunOnce(), 0U);
  clock_.Advance(Millis(2000));
  EXPECT_EQ(dispatcher_.RunOnce(), 1U);
  clock_.Advance(Millis(2000));
  EXPECT_EQ(dispatcher_.RunOnce(), 0U);
  clock_.Advance(Millis(2000));
  channel_.answer = {};
  EXPECT_EQ(dispatcher_.RunOnce(), 1U);
  EXPECT_EQ(outbox_.Counts()->pending, 0U);
  EXPECT_NE(counters_.Render().find("fleetward_notification_failures_total{reason=\"connect\"} 2"), std::string::npos);
}

TEST_F(DispatcherTest, PermanentRefusalsAndOldFailuresAreDeadLetters) {
  Add(1);
  channel_.answer = {Failure::kRefused, false, "550"};
  dispatcher_.RunOnce();
  EXPECT_EQ(outbox_.Counts()->dead, 1U);
  Add(2);
  clock_.Advance(std::chrono::hours(25));
  channel_.answer = {Failure::kConnect, true, "refused"};
  dispatcher_.RunOnce();
  EXPECT_EQ(outbox_.Counts()->dead, 2U);
}

TEST_F(DispatcherTest, WorkersDeliverEachMessageOnce) {
  dispatcher_.Start();
  for (std::uint64_t i = 1; i <= 1; ++i) Add(i);
  for (int i = 0; i < 1000 && outbox_.Counts()->pending > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  dispatcher_.Stop();
  EXPECT_EQ(channel_.sent.size(), 1U);
}

}  // namespace
}  // namespace fleetward::notify
