#include "fleetward/notify/alert.h"

#include <gtest/gtest.h>

namespace fleetward::notify {
namespace {

model::ViolationEvent Sample() {
  model::ViolationEvent e;
  e.violation_id = *Id128::Parse("0f3c9a55d1e84b7c8a6b2e1d4c5f6a70");
  e.thing_name = model::ThingName("pump-12");
  e.profile = model::SecurityProfileName("PumpProfile");
  e.behavior.name = model::BehaviorName("fewMessages");
  e.behavior.metric = "aws:num-messages-sent";
  model::BehaviorCriteria c;
  c.comparison_operator = model::ComparisonOperator::kLessThan;
  c.value = model::Count{20};
  c.duration_seconds = 300;
  c.consecutive_datapoints_to_alarm = 2;
  c.consecutive_datapoints_to_clear = 1;
  e.behavior.criteria = c;
  e.metric_value = model::Count{64};
  e.time = FromMillis(1700000400000);
  return e;
}

TEST(Alert, LooksLikeTheServices) {  // the example of detect.md §5
  EXPECT_EQ(AlertMessage(Sample(), model::VerificationState::kUnknown),
            R"({"violationEventTime":1700000400000,"thingName":"pump-12","behavior":{"criteria":)"
            R"({"consecutiveDatapointsToClear":1,"value":{"count":20},"durationSeconds":300,)"
            R"("consecutiveDatapointsToAlarm":2,"comparisonOperator":"less-than"},"name":"fewMessages",)"
            R"("metric":"aws:num-messages-sent"},"violationEventType":"in-alarm","metricValue":{"count":64},)"
            R"("violationId":"0f3c9a55d1e84b7c8a6b2e1d4c5f6a70","securityProfileName":"PumpProfile"})");
}

TEST(Alert, InvalidationHasNoValueAndNamesTheVerification) {
  auto e = Sample();
  e.type = model::ViolationEventType::kAlarmInvalidated;
  e.metric_value = {};
  std::string text = AlertMessage(e, model::VerificationState::kFalsePositive);
  EXPECT_EQ(text.find("metricValue"), std::string::npos);
  EXPECT_NE(text.find(R"("verificationState":"FALSE_POSITIVE")"), std::string::npos);
}

TEST(Alert, OneIdPerTransitionAndNoneWhenSuppressed) {
  auto e = Sample();
  EXPECT_EQ(AlertMessageId(e), AlertMessageId(Sample()));
  e.type = model::ViolationEventType::kAlarmCleared;
  EXPECT_NE(AlertMessageId(e), AlertMessageId(Sample()));
  EXPECT_TRUE(AlertFor(e, {}, "arn"));
  e.behavior.suppress_alerts = true;
  EXPECT_FALSE(AlertFor(e, {}, "arn"));
}

}  // namespace
}  // namespace fleetward::notify
