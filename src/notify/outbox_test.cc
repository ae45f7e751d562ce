#include "fleetward/notify/outbox.h"

#include <gtest/gtest.h>

#include "fleetward/store/memory_store.h"

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

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  Outbox outbox_{*store_, clock_};
};

TEST_F(OutboxTest, TakesAMessageOnceEvenAfterDelivery) {
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  auto due = outbox_.Due(10).value();
  ASSERT_EQ(due.size(), 2U);
  for (const auto& d : due) ASSERT_TRUE(outbox_.MarkDone(d).ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  EXPECT_TRUE(outbox_.Due(10)->empty());
  clock_.Advance(std::chrono::hours(49));
  ASSERT_TRUE(outbox_.Expire().ok());
  ASSERT_TRUE(Add(Id128{1, 1}, 2).ok());
  EXPECT_EQ(outbox_.Due(10)->size(), 2U);
}

TEST_F(OutboxTest, AFailedDeliveryWaitsForItsTime) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  auto first = outbox_.Due(10).value().at(0);
  ASSERT_TRUE(outbox_.MarkFailed(first, "connect", clock_.Now() + Millis(5000)).ok());
  EXPECT_TRUE(outbox_.Due(10)->empty());
  EXPECT_EQ(outbox_.NextDue().value(), clock_.Now() + Millis(5000));
  clock_.Advance(Millis(5000));
  auto again = outbox_.Due(10).value().at(0);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_EQ(again.last_failure, "connect");
  ASSERT_TRUE(outbox_.MarkDead(again, "gone").ok());
  EXPECT_EQ(outbox_.Dead(10)->at(0).last_failure, "gone");
  EXPECT_EQ(outbox_.Counts()->pending, 0U);
  EXPECT_EQ(outbox_.Counts()->dead, 1U);
}

TEST_F(OutboxTest, KeptMailsAreListedNewestFirst) {
  ASSERT_TRUE(Add(Id128{1, 1}, 1).ok());
  ASSERT_TRUE(outbox_.MarkKept(outbox_.Due(1)->at(0), "one").ok());
  clock_.Advance(Millis(10));
  ASSERT_TRUE(Add(Id128{1, 2}, 1).ok());
  ASSERT_TRUE(outbox_.MarkKept(outbox_.Due(1)->at(0), "two").ok());
  auto kept = outbox_.Kept(10).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].second, "two");
}

}  // namespace
}  // namespace fleetward::notify
