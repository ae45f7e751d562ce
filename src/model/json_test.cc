#include "fleetward/model/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fleetward::model {
namespace {

TEST(BehaviorJson, RoundTripsAsText) {
  const char* texts[] = {
      R"({"criteria":{"comparisonOperator":"less-than","consecutiveDatapointsToAlarm":2,"consecutiveDatapointsToClear":1,)"
      R"("durationSeconds":300,"value":{"count":20}},"metric":"aws:num-messages-sent","name":"fewMessages"})",
      R"({"criteria":{"comparisonOperator":"in-cidr-set","value":{"cidrs":["10.1.2.3/9","192.0.2.1/32"]}},)"
      R"("metric":"aws:source-ip-address","metricDimension":{"dimensionName":"d","operator":"NOT_IN"},"name":"a"})",
      R"({"criteria":{"comparisonOperator":"greater-than","durationSeconds":300,)"
      R"("statisticalThreshold":{"statistic":"p99.99"}},"exportMetric":false,"metric":"aws:all-packets-out","name":"p"})",
      R"({"criteria":{"mlDetectionConfig":{"confidenceLevel":"HIGH"}},"metric":"m","name":"ml","suppressAlerts":true})",
      R"({"criteria":{"comparisonOperator":"in-set","value":{"strings":["a","\u00e9"]}},"metric":"m","name":"s"})",
      R"({"criteria":{"comparisonOperator":"not-in-set","value":{"numbers":[0.5,2.0]}},"metric":"m","name":"n"})",
      R"({"name":"only"})",
  };
  for (const char* text : texts) {
    auto behavior = ParseBehavior(text);
    ASSERT_TRUE(behavior) << text;
    EXPECT_EQ(nlohmann::json::parse(ToJsonText(*behavior)), nlohmann::json::parse(text));
    EXPECT_EQ(*ParseBehavior(ToJsonText(*behavior)), *behavior);
  }
}

TEST(BehaviorJson, NamesTheWrongMember) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"[]", "behavior should be an object"},
      {"{}", "name should be given"},
      {R"({"name":1})", "name should be a string"},
      {R"({"name":"b","criteria":{"durationSeconds":"x"}})", "durationSeconds should be an integer"},
      {R"({"name":"b","criteria":{"durationSeconds":1e12}})", "durationSeconds should be a 32-bit integer"},
      {R"({"name":"b","criteria":{"value":{"ports":[1.5]}}})", "ports should be a list of integers"},
      {R"({"name":"b","criteria":{"value":{}}})",
       "value must have exactly one of count, cidrs, ports, number, numbers and strings"},
      {R"({"name":"b","criteria":{"comparisonOperator":"equals"}})",
       "comparisonOperator should be an operator, not equals"},
      {R"({"name":"b","criteria":{"mlDetectionConfig":{}}})", "confidenceLevel should be LOW, MEDIUM or HIGH"},
      {R"({"name":"b","metricDimension":{"dimensionName":"d","operator":"OUT"}})", "operator should be IN or NOT_IN"},
      {"{", "this is no JSON"},
  };
  for (const Case& c : cases) {
    auto behavior = ParseBehavior(c.text);
    ASSERT_FALSE(behavior) << c.text;
    EXPECT_EQ(behavior.error().message(), c.message);
  }
}

TEST(MetricValueJson, EveryKind) {
  const std::pair<MetricValue, const char*> cases[] = {
      {MetricValue(), "null"},
      {Count{64}, R"({"count":64})"},
      {Number{-0.5}, R"({"number":-0.5})"},
      {Ports{22, 80}, R"({"ports":[22,80]})"},
      {Ports{}, R"({"ports":[]})"},
      {Numbers{1.5}, R"({"numbers":[1.5]})"},
      {Strings{"a"}, R"({"strings":["a"]})"},
      {Cidrs{*IpPrefix::Parse("192.0.2.1"), *IpPrefix::Parse("10.0.0.0/8")}, R"({"cidrs":["192.0.2.1","10.0.0.0/8"]})"},
  };
  for (const auto& [value, text] : cases) {
    EXPECT_EQ(ToJsonText(value), text);
    EXPECT_EQ(*ParseMetricValue(text), value);
  }
  EXPECT_EQ(ToJsonText(Strings{"\xff"}), "{\"strings\":[\"\xef\xbf\xbd\"]}");  // bad UTF-8 is replaced, never thrown
}

TEST(SecurityProfileJson, RoundTrips) {
  const char* text =
      R"({"additionalMetricsToRetainV2":[{"exportMetric":true,"metric":"aws:num-messages-sent",)"
      R"("metricDimension":{"dimensionName":"d","operator":"IN"}}],)"
      R"("alertTargets":{"SNS":{"alertTargetArn":"arn:t","roleArn":"arn:r"}},"behaviors":[{"name":"b"}],)"
      R"("metricsExportConfig":{"mqttTopic":"t/e","roleArn":"arn:r"},)"
      R"("securityProfileDescription":"","securityProfileName":"p","version":7})";
  auto profile = ParseSecurityProfile(text);
  ASSERT_TRUE(profile);
  EXPECT_EQ(ToJsonText(*profile), text);
}

}  // namespace
}  // namespace fleetward::model
