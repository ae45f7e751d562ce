#include "fleetward/alarms/alarm_query.h"

#include <gtest/gtest.h>

#include "fleetward/alarms/codec.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/layout.h"
#include "fleetward/telemetry/violation_store.h"

namespace fleetward::alarms {
namespace {

template <class Member, class Value>
ViolationFilter With(Member member, Value value) {
  ViolationFilter filter;
  filter.*member = value;
  return filter;
}

class AlarmQueryTest : public testing::Test {
 protected:
  void SetUp() override {
    store::Batch batch;
    for (std::uint64_t i = 0; i < 10; ++i) {
      model::ViolationEvent e;
      e.violation_id = Id128{i, i};
      e.entity = Id128{1, i % 2};
      e.thing_name = model::ThingName(i % 2 == 0 ? "even" : "odd");
      e.profile = model::SecurityProfileName("P");
      e.behavior.name = model::BehaviorName("b");
      e.behavior.criteria = model::BehaviorCriteria{};
      if (i == 3) e.behavior.suppress_alerts = true;
      e.time = FromMillis(1'700'000'000'000 + static_cast<std::int64_t>(i / 2));  // pairs share a time
      telemetry::PutEvent(batch, {e.time, e.violation_id, e.type}, e.entity, EncodeEvent(e));
      model::ActiveViolation a;
      a.violation_id = e.violation_id;
      a.thing_name = e.thing_name;
      a.behavior = e.behavior;
      a.start_time = e.time;
      telemetry::PutActive(batch, a.violation_id, EncodeActive(a));
    }
    ASSERT_TRUE(blocks_->Write(batch).ok());
  }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> control_ = database_->Account(model::AccountId("123456789012"));
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  VerificationBook verifications_{*control_, clock_};
  AlarmQuery query_{*blocks_, verifications_};
  Timestamp start_ = FromMillis(1'600'000'000'000), end_ = FromMillis(1'800'000'000'000);
};

TEST_F(AlarmQueryTest, PagesWalkEverythingOnceNewestFirst) {
  for (std::size_t size : {1U, 3U, 10U}) {
    std::vector<std::uint64_t> events, active;
    std::string from;
    for (;;) {
      auto page = query_.Events({}, start_, end_, from, size).value();
      for (auto& item : page.items) events.push_back(item.event.violation_id.low);
      if (!page.next) break;
      from = *page.next;
    }
    from.clear();
    for (;;) {
      auto page = query_.Active({}, from, size).value();
      for (auto& item : page.items) active.push_back(item.violation_id.low);
      if (!page.next) break;
      from = *page.next;
    }
    EXPECT_EQ(events.size(), 10U);
    EXPECT_EQ(active, (std::vector<std::uint64_t>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
    std::sort(events.begin(), events.end());
    EXPECT_EQ(std::unique(events.begin(), events.end()), events.end());
  }
  EXPECT_FALSE(query_.Events({}, start_, end_, "junk", 10).ok());
}

TEST_F(AlarmQueryTest, Filters) {
  EXPECT_EQ(query_.Events(With(&ViolationFilter::thing, model::ThingName("even")), start_, end_, "", 100)->items.size(), 5U);
  EXPECT_EQ(query_.Active(With(&ViolationFilter::profile, model::SecurityProfileName("Q")), "", 100)->items.size(), 0U);
  EXPECT_EQ(query_.Active(With(&ViolationFilter::suppressed, true), "", 100)->items.size(), 1U);
  EXPECT_EQ(query_.Active(With(&ViolationFilter::suppressed, false), "", 100)->items.size(), 9U);
  EXPECT_EQ(query_.Active(With(&ViolationFilter::criteria_type, model::CriteriaType::kStatistical), "", 100)->items.size(), 0U);
  ASSERT_TRUE(verifications_.Put("me", Id128{4, 4}, {model::VerificationState::kFalsePositive, ""}).ok());
  EXPECT_EQ(query_.Active(With(&ViolationFilter::verification, model::VerificationState::kFalsePositive), "", 100)->items.size(), 1U);
  EXPECT_TRUE(query_.EntityOf(Id128{4, 4}, clock_.Now()).value());
  EXPECT_FALSE(query_.EntityOf(Id128{99, 4}, clock_.Now()).value());
}

// More of them are behind the places that one scan keeps.
TEST_F(AlarmQueryTest, PagesOfManyOfWhichFewMatchAreWhole) {
  store::Batch batch;
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    model::ActiveViolation a;
    a.violation_id = Id128{1000 + i * 7919 % 3000, i};  // by id in another order than by time
    a.thing_name = model::ThingName("many");
    a.start_time = FromMillis(1'700'000'100'000 + static_cast<std::int64_t>(i / 3));
    a.behavior.suppress_alerts = i % 100 == 0;
    if (i % 100 == 0) expected.insert(expected.begin(), i);
    telemetry::PutActive(batch, a.violation_id, EncodeActive(a));
  }
  ASSERT_TRUE(blocks_->Write(batch).ok());
  auto walk = [&](const ViolationFilter& filter, std::size_t size) {
    std::vector<std::uint64_t> found;
    std::string from;
    for (bool more = true; more;) {
      auto page = query_.Active(filter, from, size).value();
      EXPECT_LE(page.items.size(), size);
      for (auto& item : page.items) found.push_back(item.violation_id.low);
      more = page.next.has_value();
      if (more) from = *page.next;
    }
    return found;
  };
  ViolationFilter filter = With(&ViolationFilter::thing, model::ThingName("many"));
  for (std::size_t size : {50U, 1000U, 2999U, 3000U, 4000U}) EXPECT_EQ(walk(filter, size).size(), 3000U);
  filter.suppressed = true;
  for (std::size_t size : {1U, 7U, 30U, 31U}) EXPECT_EQ(walk(filter, size), expected) << size;
}

TEST_F(AlarmQueryTest, ADamagedEventIsNoUnknownViolation) {
  store::Batch batch;
  telemetry::DeleteActive(batch, {4, 4});
  telemetry::EventKey key{FromMillis(1'700'000'000'002), {4, 4}, model::ViolationEventType::kInAlarm};
  telemetry::PutEvent(batch, key, {1, 0}, "junk");
  ASSERT_TRUE(blocks_->Write(batch).ok());
  auto entity = query_.EntityOf(Id128{4, 4}, clock_.Now());
  ASSERT_FALSE(entity.ok());
  EXPECT_EQ(entity.error().code(), Code::kCorrupt);
}

TEST_F(AlarmQueryTest, AViolationIsKnownWhileItsEventsAreKept) {
  store::Batch batch;
  telemetry::DeleteActive(batch, {4, 4});
  ASSERT_TRUE(blocks_->Write(batch).ok());
  AlarmQuery longer(*blocks_, verifications_, std::chrono::days(90));
  AlarmQuery shorter(*blocks_, verifications_, std::chrono::days(5));
  auto known = [&](const AlarmQuery& query, int days) {
    return query.EntityOf(Id128{4, 4}, clock_.Now() + std::chrono::days(days)).value().has_value();
  };
  EXPECT_TRUE(known(query_, 29));
  EXPECT_FALSE(known(query_, 31));
  EXPECT_TRUE(known(longer, 89));
  EXPECT_FALSE(known(longer, 91));
  EXPECT_TRUE(known(shorter, 4));
  EXPECT_FALSE(known(shorter, 6));
}

TEST_F(AlarmQueryTest, WhatWasSaidStaysAsLongAsEventsAreKeptAndWhileTheAlarmIsOn) {
  for (int kept : {5, 30, 90}) {
    VerificationBook book(*control_, clock_, std::chrono::days(kept));
    bool on = false;
    auto expire = [&] { EXPECT_TRUE(book.Expire([&](const model::ViolationId& id) { return on && id == Id128{7, 7}; }).ok()); };
    auto state = [&](std::uint64_t id) { return book.Get(Id128{id, id}).state; };
    for (std::uint64_t id : {6U, 7U}) {
      ASSERT_TRUE(book.Put("me", Id128{id, id}, {model::VerificationState::kFalsePositive, "known"}).ok());
    }
    clock_.Advance(std::chrono::days(kept) + std::chrono::hours(1));
    expire();
    EXPECT_EQ(state(6), model::VerificationState::kFalsePositive) << kept;
    clock_.Advance(std::chrono::days(1));
    on = true;
    expire();
    EXPECT_EQ(state(6), model::VerificationState::kUnknown) << kept;
    EXPECT_EQ(state(7), model::VerificationState::kFalsePositive) << kept;
    EXPECT_EQ(book.Get(Id128{7, 7}).description, "known");
    // Its end was just now: that event is listed with what was said.
    on = false;
    clock_.Advance(std::chrono::days(kept));
    expire();
    EXPECT_EQ(state(7), model::VerificationState::kFalsePositive) << kept;
    clock_.Advance(std::chrono::days(2));
    expire();
    EXPECT_EQ(state(7), model::VerificationState::kUnknown) << kept;
  }
}

}  // namespace
}  // namespace fleetward::alarms
