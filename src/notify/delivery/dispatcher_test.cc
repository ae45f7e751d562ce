#include "fleetward/notify/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>

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
  ASSERT_TRUE(dispatcher_.Start().ok());
  for (std::uint64_t i = 1; i <= 1; ++i) Add(i);
  for (int i = 0; i < 1000 && outbox_.Counts()->pending > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  dispatcher_.Stop();
  EXPECT_EQ(channel_.sent.size(), 1U);
}

// Holds every delivery to endpoints whose name begins with "slow" until it is let go.
class HoldingChannel : public Channel {
 public:
  Attempt Send(const Delivery& delivery) override {
    std::unique_lock lock(mutex_);
    if (delivery.endpoint.starts_with("slow")) {
      held = ++held_now_ > held ? held_now_ : held;
      released_.wait(lock, [this] { return let_go_; });
      --held_now_;
    }
    ++sent[delivery.endpoint];
    changed_.notify_all();
    return delivery.endpoint.starts_with("bad") ? Attempt{Failure::kRefused, true, "503"} : Attempt{};
  }
  void Cancel() override {
    std::lock_guard lock(mutex_);
    let_go_ = true;
    released_.notify_all();
  }
  bool WaitFor(const std::string& endpoint, int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return sent[endpoint] >= count; });
  }
  std::map<std::string, int> sent;
  int held = 0;

 private:
  std::mutex mutex_;
  std::condition_variable released_, changed_;
  int held_now_ = 0;
  bool let_go_ = false;
};

class LanesTest : public DispatcherTest {
 protected:
  void AddTo(const std::string& protocol, const std::string& endpoint, int count, DeliveryPolicy policy = {}) {
    AddTo(outbox_, protocol, endpoint, count, policy);
  }
  void AddTo(Outbox& outbox, const std::string& protocol, const std::string& endpoint, int count,
             DeliveryPolicy policy = {}) {
    for (int i = 0; i < count; ++i) {
      Delivery d;
      d.message_id = Id128{++next_, 0};
      d.protocol = protocol;
      d.endpoint = endpoint;
      d.created = clock_.Now();
      d.policy = policy;
      ASSERT_TRUE(store_->Write([&](store::Transaction& tx) { return outbox.Add(tx, d.message_id, {d}); }).ok());
    }
  }
  std::uint64_t next_ = 100;
  HoldingChannel holding_;
};

TEST_F(LanesTest, ASlowEndpointHoldsUpNobodyElse) {
  Dispatcher dispatcher(outbox_, clock_, {{"http", &holding_}, {"email", &holding_}}, settings_, counters_);
  ASSERT_TRUE(dispatcher.Start().ok());
  AddTo("http", "slow.example", 200);
  AddTo("http", "quick.example", 50);
  AddTo("email", "a@b", 50);
  EXPECT_TRUE(holding_.WaitFor("quick.example", 50));
  EXPECT_TRUE(holding_.WaitFor("a@b", 50));
  EXPECT_EQ(holding_.sent["slow.example"], 0);
  dispatcher.Stop();
  EXPECT_LE(holding_.held, 4);
}

// No two readings agree, as on a machine where a read of the store takes longer than a millisecond.
class HastyClock : public Clock {
 public:
  Timestamp Now() const override { return FromMillis(++now_); }
  std::int64_t MonotonicMillis() const override { return 0; }

 private:
  mutable std::atomic<std::int64_t> now_{1'700'000'000'000};
};

// An addition while a worker reads the store for the same lane once left an entry that hid every other lane for good.
TEST_F(LanesTest, AdditionsWhileTheStoreIsReadHideNoOtherLane) {
  HastyClock hasty;
  Outbox outbox(*store_, hasty);
  Dispatcher dispatcher(outbox, hasty, {{"http", &holding_}}, settings_, counters_);
  ASSERT_TRUE(dispatcher.Start().ok());
  AddTo(outbox, "http", "busy.example", 500);
  EXPECT_TRUE(holding_.WaitFor("busy.example", 500));
  AddTo(outbox, "http", "other.example", 1);
  EXPECT_TRUE(holding_.WaitFor("other.example", 1));
  dispatcher.Stop();
}

TEST_F(LanesTest, HttpFollowsItsDeliveryPolicy) {
  Dispatcher dispatcher(outbox_, clock_, {{"http", &holding_}}, settings_, counters_);
  AddTo("http", "bad.example", 1, {1, 3, 4, 1, 0, 0, Backoff::kLinear, 0});
  EXPECT_EQ(dispatcher.RunOnce(), 2U);  // the first retry comes at once
  EXPECT_EQ(dispatcher.RunOnce(), 0U);
  clock_.Advance(Millis(1000));
  EXPECT_EQ(dispatcher.RunOnce(), 1U);
  clock_.Advance(Millis(2000));
  EXPECT_EQ(dispatcher.RunOnce(), 1U);
  clock_.Advance(Millis(2999));
  EXPECT_EQ(dispatcher.RunOnce(), 0U);
  clock_.Advance(Millis(1));
  EXPECT_EQ(dispatcher.RunOnce(), 1U);
  EXPECT_EQ(outbox_.Counts()->dead, 1U);
  EXPECT_EQ(outbox_.Dead(1)->at(0).attempts, 5);
}

TEST_F(LanesTest, RatesAreKept) {
  Dispatcher dispatcher(outbox_, clock_, {{"http", &holding_}}, settings_, counters_);
  DeliveryPolicy policy;
  policy.max_receives_per_second = 2;
  AddTo("http", "quick.example", 5, policy);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(dispatcher.RunOnce(), 1U) << i;
    clock_.Advance(Millis(500));
  }
  EXPECT_EQ(outbox_.Counts()->pending, 0U);
}

TEST_F(LanesTest, WhatAnEarlierProcessLeftIsFound) {
  AddTo("http", "quick.example", 3);
  AddTo("http", "other.example", 3);
  Dispatcher dispatcher(outbox_, clock_, {{"http", &holding_}}, settings_, counters_);
  ASSERT_TRUE(dispatcher.Start().ok());
  EXPECT_TRUE(holding_.WaitFor("quick.example", 3));
  EXPECT_TRUE(holding_.WaitFor("other.example", 3));
  dispatcher.Stop();
}

}  // namespace
}  // namespace fleetward::notify
