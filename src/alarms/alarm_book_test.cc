#include "fleetward/alarms/alarm_book.h"

#include <gtest/gtest.h>

#include "fleetward/alarms/alarm_query.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/layout.h"

namespace fleetward::alarms {
namespace {

class AlarmBookTest : public testing::Test {
 protected:
  detect::Decision Make(model::ViolationEventType type, std::int64_t ms) {
    detect::Decision d;
    d.event.violation_id = Id128{7, 7};
    d.event.entity = Id128{1, 1};
    d.event.thing_name = model::ThingName("t");
    d.event.profile = model::SecurityProfileName("P");
    d.event.behavior.name = model::BehaviorName("b");
    d.event.metric_value = model::Count{5};
    d.event.type = type;
    d.event.time = FromMillis(ms);
    d.alert_targets = &targets_;
    return d;
  }
  void Commit() {
    ASSERT_TRUE(blocks_->Write(batch_).ok());
    batch_.Clear();
  }

  ManualClock clock_{FromMillis(1'700'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> control_ = database_->Account(model::AccountId("123456789012"));
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  VerificationBook verifications_{*control_, clock_};
  AlarmQuery query_{*blocks_, verifications_};
  CounterRegistry counters_;
  store::Batch batch_;
  std::map<std::string, model::AlertTarget> targets_{{"SNS", {"arn:aws:sns:us-east-1:123456789012:T", ""}}};
  AlarmBook book_{batch_, [this](const model::ViolationId& id) { return verifications_.Get(id).state; }, counters_};
};

TEST_F(AlarmBookTest, AnAlarmComesIsUpdatedAndGoes) {
  book_.OnViolation(Make(model::ViolationEventType::kInAlarm, 1'700'000'000'000));
  model::MetricValue value = model::Count{9};
  book_.OnActiveUpdated({Id128{7, 7}, Id128{1, 1}, nullptr, nullptr, &value, FromMillis(1'700'000'001'000)});
  Commit();
  auto active = query_.Active({}, "", 10).value();
  ASSERT_EQ(active.items.size(), 1U);
  EXPECT_EQ(active.items[0].last_value, value);
  EXPECT_EQ(active.items[0].start_time, FromMillis(1'700'000'000'000));
  EXPECT_EQ(active.items[0].last_violation_time, FromMillis(1'700'000'001'000));
  ASSERT_TRUE(verifications_.Put("me", Id128{7, 7}, {model::VerificationState::kTruePositive, "seen"}).ok());
  book_.OnViolation(Make(model::ViolationEventType::kAlarmCleared, 1'700'000'002'000));
  Commit();
  EXPECT_TRUE(query_.Active({}, "", 10)->items.empty());
  auto events = query_.Events({}, FromMillis(0), FromMillis(1'800'000'000'000), "", 10).value();
  ASSERT_EQ(events.items.size(), 2U);
  EXPECT_EQ(events.items[0].event.type, model::ViolationEventType::kAlarmCleared);
  EXPECT_EQ(events.items[0].verification.description, "seen");
  ASSERT_EQ(book_.alerts().size(), 2U);
  EXPECT_NE(book_.alerts()[1].message.body.find("TRUE_POSITIVE"), std::string::npos);
}

TEST_F(AlarmBookTest, AnAlarmThatGoesOnShowsItsBehaviorAsItIsNow) {
  book_.OnViolation(Make(model::ViolationEventType::kInAlarm, 1'700'000'000'000));
  model::SecurityProfile profile;
  profile.name = model::SecurityProfileName("P");
  profile.behaviors = {Make(model::ViolationEventType::kInAlarm, 0).event.behavior};
  profile.behaviors[0].suppress_alerts = true;
  auto suppressed = [&] {
    Commit();
    ViolationFilter filter;
    filter.suppressed = true;
    return query_.Active(filter, "", 10)->items.size();
  };
  EXPECT_EQ(suppressed(), 0U);
  book_.OnProfile(profile);
  EXPECT_EQ(suppressed(), 1U);
  // What was raised under another definition, or by another profile, stays as it was.
  profile.behaviors[0].suppress_alerts = false;
  profile.behaviors[0].metric = "aws:all-bytes-in";
  book_.OnProfile(profile);
  EXPECT_EQ(suppressed(), 1U);
  profile.behaviors[0].metric.reset();
  profile.name = model::SecurityProfileName("Q");
  book_.OnProfile(profile);
  EXPECT_EQ(suppressed(), 1U);
  profile.name = model::SecurityProfileName("P");
  book_.OnProfile(profile);
  EXPECT_EQ(suppressed(), 0U);
}

TEST_F(AlarmBookTest, AReplayChangesNothing) {
  for (int i = 0; i < 2; ++i) book_.OnViolation(Make(model::ViolationEventType::kInAlarm, 1'700'000'000'000));
  Commit();
  EXPECT_EQ(query_.Active({}, "", 10)->items.size(), 1U);
  EXPECT_EQ(query_.Events({}, FromMillis(0), FromMillis(1'800'000'000'000), "", 10)->items.size(), 1U);
  EXPECT_EQ(book_.alerts()[0].message_id, book_.alerts()[1].message_id);
}

TEST_F(AlarmBookTest, LoadTakesItsOwnThingsOnly) {
  book_.OnViolation(Make(model::ViolationEventType::kInAlarm, 1'700'000'000'000));
  Commit();
  AlarmBook other(batch_, nullptr, counters_);
  ASSERT_TRUE(other.Load(*blocks_, [](const model::EntityId& e) { return e == Id128{1, 1}; }).ok());
  EXPECT_EQ(other.active_count(), 1U);
  AlarmBook none(batch_, nullptr, counters_);
  ASSERT_TRUE(none.Load(*blocks_, [](const model::EntityId&) { return false; }).ok());
  EXPECT_EQ(none.active_count(), 0U);
}

TEST_F(AlarmBookTest, AStormCountsOnceHoweverManyItHeld) {
  detect::StormUpdate update;
  auto storms = [&] { return counters_.Render().find("fleetward_alarm_storms_total 2\n") != std::string::npos; };
  for (std::uint64_t count : {1U, 5U}) {
    EXPECT_FALSE(storms());
    update.ended = false;
    update.count = 1;
    book_.OnStorm(update);
    update.count = count;
    if (count > 1) book_.OnStorm(update);
    update.ended = true;
    book_.OnStorm(update);
  }
  EXPECT_TRUE(storms());
}

}  // namespace
}  // namespace fleetward::alarms
