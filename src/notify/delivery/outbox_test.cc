#include "fleetward/notify/outbox.h"

#include <gtest/gtest.h>

#include "fleetward/store/memory_store.h"
#include "testing/counting_store.h"

namespace fleetward::notify {
namespace {

class OutboxTest : public testing::Test {
 protected:
  Status Add(const Id128& message, int endpoints) {
    std::vector<Delivery> deliveries;
    for (int i = 0; i < endpoints; ++i) {
      Delivery d;
      d.message_id = message;
      d.subscription_id = Id128{9, static_cast<std::uint64_t>(i)};
      d.protocol = "email";
      d.endpoint = "a@b";
      d.body = "text";
      d.created = clock_.Now();
      deliveries.push_back(d);
    }
    return store_->Write([&](store::Transaction& tx) { return outbox_.Add(tx, message, deliveries); });
  }

  std::vector<Delivery> Due(std::size_t limit) {
    std::vector<Delivery> due;
    const auto lanes = outbox_.Lanes().value();
    for (const auto& waiting : lanes) {
      const auto in_lane = outbox_.DueIn(waiting.lane, limit).value();
      due.insert(due.end(), in_lane.begin(), in_lane.end());
    }
    return due;
  }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  Outbox outbox_{*store_, clock_};
};

TEST_F(OutboxTest, TakesAMessageOnceEvenAfterDelivery) {
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  auto due = Due(10);
  ASSERT_EQ(due.size(), 2U);
  for (const auto& d : due) ASSERT_TRUE(outbox_.MarkDone(d).ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  EXPECT_TRUE(Due(10).empty());
  clock_.Advance(std::chrono::hours(49));
  ASSERT_TRUE(outbox_.Expire().ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  EXPECT_EQ(Due(10).size(), 2U);
}

TEST_F(OutboxTest, AFailedDeliveryWaitsForItsTime) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  auto first = Due(10).at(0);
  ASSERT_TRUE(outbox_.MarkFailed(first, "connect", clock_.Now() + Millis(5000)).ok());
  EXPECT_TRUE(Due(10).empty());
  EXPECT_EQ(outbox_.NextDueIn(first.Lane(), 0).value(), clock_.Now() + Millis(5000));
  EXPECT_FALSE(outbox_.NextDueIn(first.Lane(), 1).value());
  clock_.Advance(Millis(5000));
  auto again = Due(10).at(0);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_EQ(again.last_failure, "connect");
  ASSERT_TRUE(outbox_.MarkDead(again, "gone").ok());
  EXPECT_EQ(outbox_.Dead(10)->at(0).last_failure, "gone");
  EXPECT_EQ(outbox_.Counts()->pending, 0U);
  EXPECT_EQ(outbox_.Counts()->dead, 1U);
}

TEST_F(OutboxTest, DeliveriesKeepEverythingAndLanesAreByEndpoint) {
  Delivery d;
  d.message_id = Id128{1, 1};
  d.kind = "notification";
  d.protocol = "https";
  d.endpoint = "https://a.example/x";
  d.subscription_arn = "arn";
  d.url = "u";
  d.token = "t";
  d.attributes = "{}";
  d.raw = true;
  d.signature_version = 2;
  d.policy = {1, 2, 9, 1, 2, 3, Backoff::kGeometric, 7};
  Delivery other = d;
  other.subscription_id = Id128{2, 2};
  other.endpoint = "https://b.example/x";
  Delivery mail = d;
  mail.subscription_id = Id128{3, 3};
  mail.protocol = "email";
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) { return outbox_.Add(tx, d.message_id, {d, other, mail}); }).ok());
  auto lanes = outbox_.Lanes().value();
  ASSERT_EQ(lanes.size(), 3U);
  EXPECT_EQ(lanes[2].lane.front(), 'm');
  auto stored = outbox_.DueIn(d.Lane(), 9).value();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].policy, d.policy);
  EXPECT_TRUE(stored[0].raw);
  EXPECT_EQ(stored[0].url + stored[0].token + stored[0].attributes + stored[0].subscription_arn, "ut{}arn");
}

TEST_F(OutboxTest, AQueueOfAnOlderReleaseIsBroughtIntoLanes) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  auto d = Due(1).at(0);
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) -> Status {
    std::vector<std::string> keys;
    FW_TRY(tx.Scan({"outbox_lanes"}, "", "", [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    }));
    FW_TRY(tx.Erase({"outbox_lanes"}, keys.at(0)));
    return tx.Put({"outbox_due"}, keys.at(0).substr(9), "");
  }).ok());
  EXPECT_TRUE(Due(1).empty());
  ASSERT_TRUE(outbox_.Migrate().ok());
  EXPECT_EQ(Due(1).at(0).message_id, d.message_id);
  ASSERT_TRUE(outbox_.Migrate().ok());
  EXPECT_EQ(Due(9).size(), 1U);
}

TEST_F(OutboxTest, CountsAreKeptNotTaken) {
  auto counts = [&] {
    OutboxCounts c = outbox_.Counts().value();
    return std::to_string(c.pending) + " " + std::to_string(c.dead) + " " + std::to_string(c.kept);
  };
  EXPECT_EQ(counts(), "0 0 0");
  ASSERT_TRUE(Add(Id128{1, 1}, 5).ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 5).ok());
  EXPECT_EQ(counts(), "5 0 0");
  auto due = Due(10);
  ASSERT_EQ(due.size(), 5U);
  ASSERT_TRUE(outbox_.MarkDone(due[0]).ok());
  ASSERT_TRUE(outbox_.MarkDone(due[0]).ok());
  ASSERT_TRUE(outbox_.MarkFailed(due[1], "connect", clock_.Now()).ok());
  ASSERT_TRUE(outbox_.MarkDead(due[2], "gone").ok());
  ASSERT_TRUE(outbox_.MarkDead(due[2], "gone").ok());
  ASSERT_TRUE(outbox_.MarkKept(due[3], "mail").ok());
  EXPECT_EQ(counts(), "2 1 1");
  // Not by looking at the rows: one that is taken away behind its back is not missed.
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) { return tx.Erase({"outbox_deliveries"}, due[4].Key()); }).ok());
  EXPECT_EQ(counts(), "2 1 1");
  // A folder in which nothing was counted yet.
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) -> Status {
    for (const char* table : {"outbox_deliveries", "outbox_dead", "outbox_kept"}) FW_TRY(tx.Erase({"outbox_counts"}, table));
    return {};
  }).ok());
  ASSERT_TRUE(outbox_.Migrate().ok());
  EXPECT_EQ(counts(), "1 1 1");
  for (int i = 0; i < 1010; ++i) {
    ASSERT_TRUE(Add(Id128{2, static_cast<std::uint64_t>(i)}, 1).ok());
    Delivery mail;
    mail.message_id = Id128{2, static_cast<std::uint64_t>(i)};
    mail.subscription_id = Id128{9, 0};
    mail.protocol = "email";
    mail.endpoint = "a@b";
    ASSERT_TRUE(outbox_.MarkKept(mail, "mail").ok());
  }
  ASSERT_TRUE(outbox_.Expire().ok());
  EXPECT_EQ(counts(), "1 1 1000");
  EXPECT_EQ(outbox_.Kept(5000)->size(), 1000U);
}

TEST_F(OutboxTest, ExpiryCostsWhatItRemoves) {
  auto kept = [&](std::uint64_t hour, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(Add(Id128{hour, i}, 1).ok());
      Delivery mail;
      mail.message_id = Id128{hour, i};
      mail.subscription_id = Id128{9, 0};
      mail.protocol = "email";
      mail.endpoint = "a@b";
      ASSERT_TRUE(outbox_.MarkKept(mail, "mail").ok());
    }
  };
  CountingStore counting(*store_);
  Outbox outbox{counting, clock_};
  kept(1, 1300);
  clock_.Advance(std::chrono::hours(47));
  kept(2, 7);
  ASSERT_TRUE(outbox.Expire().ok());
  EXPECT_EQ(counting.seen, 307U) << "of the mails beyond 1,000, and of nothing else";
  counting.seen = counting.most_written = 0;
  ASSERT_TRUE(outbox.Expire().ok());
  EXPECT_LE(counting.seen, 1U) << "nothing is due";
  EXPECT_EQ(counting.most_written, 0U);
  clock_.Advance(std::chrono::hours(2));
  ASSERT_TRUE(outbox.Expire().ok());
  EXPECT_LE(counting.seen, 1301U);
  EXPECT_LE(counting.most_written, 1010U) << "in several transactions";
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) -> Status {
    EXPECT_FALSE(Outbox::Taken(tx, Id128{1, 0}).value());
    EXPECT_FALSE(Outbox::Taken(tx, Id128{1, 1299}).value());
    EXPECT_TRUE(Outbox::Taken(tx, Id128{2, 0}).value());
    return {};
  }).ok());
}

TEST_F(OutboxTest, WhatAnOlderReleaseTookIsForgottenInItsTime) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  ASSERT_TRUE(store_->Write([&](store::Transaction& tx) -> Status {
    std::vector<std::string> keys;
    FW_TRY(tx.Scan({"outbox_taken_times"}, "", "", [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    }));
    return tx.Erase({"outbox_taken_times"}, keys.at(0));
  }).ok());
  ASSERT_TRUE(outbox_.Migrate().ok());
  ASSERT_TRUE(outbox_.Migrate().ok());
  auto taken = [&] { return store::ReadFor<bool>(*store_, [&](const store::Reader& r) { return Outbox::Taken(r, Id128{1, 1}); }).value(); };
  ASSERT_TRUE(outbox_.Expire().ok());
  EXPECT_TRUE(taken());
  clock_.Advance(std::chrono::hours(49));
  ASSERT_TRUE(outbox_.Expire().ok());
  EXPECT_FALSE(taken());
}

TEST_F(OutboxTest, KeptMailsAreListedNewestFirst) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  ASSERT_TRUE(outbox_.MarkKept(Due(1).at(0), "one").ok());
  clock_.Advance(Millis(10));
  ASSERT_TRUE(Add(Id128{1, 2}, 1).ok());
  ASSERT_TRUE(outbox_.MarkKept(Due(1).at(0), "two").ok());
  auto kept = outbox_.Kept(10).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].second, "two");
}

}  // namespace
}  // namespace fleetward::notify
