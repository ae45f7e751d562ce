#include "fleetward/model/validate.h"

#include <gtest/gtest.h>

namespace fleetward::model {
namespace {

using enum ComparisonOperator;

Behavior Static(const char* metric, ComparisonOperator op, MetricValue value, std::optional<std::int32_t> duration = {}) {
  Behavior behavior;
  behavior.name = BehaviorName("b");
  behavior.metric = metric;
  behavior.criteria.emplace();
  behavior.criteria->comparison_operator = op;
  behavior.criteria->value = std::move(value);
  behavior.criteria->duration_seconds = duration;
  return behavior;
}

BehaviorRules Rules() {
  BehaviorRules rules;
  rules.custom_metric = [](std::string_view name) -> std::optional<CustomMetricType> {
    if (name == "number") return CustomMetricType::kNumber;
    if (name == "numbers") return CustomMetricType::kNumberList;
    if (name == "strings") return CustomMetricType::kStringList;
    if (name == "addresses") return CustomMetricType::kIpAddressList;
    return std::nullopt;
  };
  rules.dimension_exists = [](std::string_view name) { return name == "known"; };
  return rules;
}

/// The faults without their common beginning, joined.
std::string Faults(const Behavior& behavior, const BehaviorRules& rules = Rules()) {
  std::string text;
  for (const std::string& error : ValidateBehaviors({&behavior, 1}, rules)) {
    constexpr std::string_view kStart = "Behavior b is malformed. ";
    text += (text.empty() ? "" : "; ") + (error.starts_with(kStart) ? error.substr(kStart.size()) : error);
  }
  return text;
}

TEST(ValidateBehaviors, EveryOperatorOfEveryKind) {
  struct Case {
    const char* metric;
    std::vector<ComparisonOperator> good;
    MetricValue value;
    std::optional<std::int32_t> duration;
  };
  const std::vector<ComparisonOperator> numeric = {kLessThan, kLessThanEquals, kGreaterThan, kGreaterThanEquals};
  const Case cases[] = {
      {"aws:message-byte-size", numeric, Count{1}, {}},
      {"aws:num-messages-sent", numeric, Count{1}, 300},
      {"aws:source-ip-address", {kInCidrSet, kNotInCidrSet}, Cidrs{}, {}},
      {"aws:disconnect-duration", {kLessThan, kLessThanEquals}, Count{5}, {}},
      {"aws:all-bytes-out", numeric, Count{1}, 3600},
      {"aws:num-established-tcp-connections", numeric, Count{1}, {}},
      {"aws:listening-udp-ports", {kInPortSet, kNotInPortSet}, Ports{53}, {}},
      {"aws:destination-ip-addresses", {kInCidrSet, kNotInCidrSet}, Cidrs{}, {}},
      {"number", numeric, Number{0.5}, {}},
      {"number", numeric, Count{1}, 900},
      {"numbers", {kInSet, kNotInSet}, Numbers{1}, {}},
      {"strings", {kInSet, kNotInSet}, Strings{"a"}, {}},
      {"addresses", {kInCidrSet, kNotInCidrSet}, Cidrs{}, {}},
  };
  for (const Case& c : cases) {
    for (int op = 0; op <= static_cast<int>(kNotInSet); ++op) {
      auto behavior = Static(c.metric, static_cast<ComparisonOperator>(op), c.value, c.duration);
      bool good = std::find(c.good.begin(), c.good.end(), static_cast<ComparisonOperator>(op)) != c.good.end();
      EXPECT_EQ(Faults(behavior).empty(), good) << c.metric << ' ' << OperatorName(static_cast<ComparisonOperator>(op));
    }
  }
}

TEST(ValidateBehaviors, SaysWhatIsWrong) {
  EXPECT_EQ(Faults(Static("aws:all-bytes-out", kLessThan, Count{1})),
            "metric aws:all-bytes-out requires criteria's duration field to be set");
  EXPECT_EQ(Faults(Static("aws:all-bytes-out", kLessThan, Count{1}, 301)),
            "durationSeconds 301 should be one of 300, 600, 900, 1800, 3600");
  EXPECT_EQ(Faults(Static("aws:all-bytes-out", kLessThan, Ports{1}, 300)),
            "metric aws:all-bytes-out needs a value of kind count, not ports");
  EXPECT_EQ(Faults(Static("aws:destination-ip-address", kInCidrSet, Cidrs{})),
            "metric aws:destination-ip-address is neither a built-in nor a custom metric");

  auto behavior = Static("aws:num-disconnects", kLessThan, Count{1}, 300);
  behavior.criteria->consecutive_datapoints_to_alarm = 100000;
  behavior.criteria->consecutive_datapoints_to_clear = 0;
  auto errors = ValidateBehaviors({&behavior, 1}, Rules());
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0], "Behavior b is malformed. consecutiveDatapointsToAlarm 100000 should be in range[1,10]");
  EXPECT_EQ(errors[1], "Behavior b is malformed. consecutiveDatapointsToClear 0 should be in range[1,10]");

  behavior = Static("aws:num-disconnects", kLessThan, Count{1}, 300);
  behavior.dimension = MetricDimension{DimensionName("known"), DimensionOperator::kIn};
  EXPECT_EQ(Faults(behavior), "metric aws:num-disconnects cannot be used with a dimension");
  behavior.metric = "aws:num-messages-sent";
  EXPECT_EQ(Faults(behavior), "");
  behavior.dimension->dimension_name = DimensionName("other");
  EXPECT_EQ(Faults(behavior), "dimension other does not exist");
}

TEST(ValidateBehaviors, ExactlyOneKindOfCriteria) {
  constexpr char kOne[] = "criteria must have exactly one of value, statisticalThreshold and mlDetectionConfig";
  auto behavior = Static("aws:all-bytes-out", kLessThan, MetricValue(), 300);
  EXPECT_EQ(Faults(behavior), kOne);
  behavior.criteria->statistic = "p99.9";
  EXPECT_EQ(Faults(behavior), "");
  behavior.criteria->value = Count{1};
  EXPECT_EQ(Faults(behavior), kOne);
  behavior.criteria->value = MetricValue();
  behavior.criteria->statistic = "p98";
  EXPECT_NE(Faults(behavior).find("statistic p98 should be one of"), std::string::npos);
  behavior.criteria->statistic = "p99";
  behavior.metric = "aws:source-ip-address";
  EXPECT_EQ(Faults(behavior), "metric aws:source-ip-address cannot be used with a statisticalThreshold");
  behavior.criteria->statistic.reset();
  behavior.criteria->ml_confidence = ConfidenceLevel::kHigh;
  EXPECT_EQ(Faults(behavior), "metric aws:source-ip-address cannot be used with ML Detect");
  behavior.metric = "number";
  behavior.criteria->comparison_operator.reset();
  behavior.criteria->duration_seconds.reset();
  EXPECT_EQ(Faults(behavior), "");
  Behavior retained;
  retained.name = BehaviorName("b");
  EXPECT_EQ(Faults(retained), "");  // a name only is legal
}

TEST(ValidateBehaviors, WholeProfile) {
  std::vector<Behavior> behaviors(2, Static("aws:listening-tcp-ports", kInPortSet, Ports(501)));
  auto errors = ValidateBehaviors(behaviors, Rules());
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0], "Behavior b is malformed. the name is used by another behavior of the profile");
  EXPECT_EQ(errors[1], "The behaviors of a security profile can have at most 1000 value elements, not 1002");
  behaviors[0].name = BehaviorName("bad name");
  EXPECT_EQ(ValidateBehaviors({behaviors.data(), 1}, Rules()).size(), 1u);
  std::vector<Behavior> many(101, Static("number", kLessThan, Count{1}));
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name = BehaviorName("b" + std::to_string(i));
  EXPECT_EQ(ValidateBehaviors(many, Rules()).size(), 1u);
  many.pop_back();
  EXPECT_EQ(ValidateBehaviors(many, Rules()).size(), 0u);
}

TEST(ValidateBehaviors, ShorterDurationsWhenConfigured) {
  BehaviorRules rules = Rules();
  auto behavior = Static("aws:all-bytes-out", kLessThan, Count{1}, 10);
  EXPECT_NE(Faults(behavior, rules), "");
  rules.min_duration_seconds = 10;
  EXPECT_EQ(Faults(behavior, rules), "");
  behavior.criteria->duration_seconds = 9;
  EXPECT_NE(Faults(behavior, rules), "");
  behavior.criteria->duration_seconds = 301;
  EXPECT_NE(Faults(behavior, rules), "");
}

TEST(Advice, SaysWhoViolatesAndWhatWouldFindTheFew) {
  struct Case {
    ComparisonOperator op;
    const char* statistic;
    const char* words[2];
  };
  for (const Case& c : std::initializer_list<Case>{
           {kGreaterThan, "p99.99", {"is not above the p99.99", "things above it, use comparisonOperator less-than-equals."}},
           {kGreaterThanEquals, "p50", {"is below the p50", "things at or above it, use comparisonOperator less-than."}},
           {kLessThan, "p0", {"is not below the p0", "things below it, use comparisonOperator greater-than-equals."}},
           {kLessThanEquals, "p10", {"is above the p10", "things at or below it, use comparisonOperator greater-than."}}}) {
    Behavior behavior;
    behavior.name = BehaviorName("b");
    behavior.metric = "aws:all-packets-out";
    behavior.criteria.emplace().comparison_operator = c.op;
    behavior.criteria->statistic = c.statistic;
    auto advice = AdviseBehaviors({&behavior, 1});
    ASSERT_EQ(advice.size(), 1U) << c.statistic;
    for (const char* words : c.words) EXPECT_NE(advice[0].find(words), std::string::npos) << advice[0];
    behavior.criteria->statistic = c.op <= kLessThanEquals ? "p90" : "p10";
    EXPECT_TRUE(AdviseBehaviors({&behavior, 1}).empty());
  }
}

TEST(MetricValueMembers, OneMemberWithinItsRange) {
  MetricValueMembers members;
  EXPECT_FALSE(ToMetricValue(members));
  members.ports = {0, 65535};
  EXPECT_EQ(*ToMetricValue(members), MetricValue(Ports{0, 65535}));
  members.count = 1;
  EXPECT_FALSE(ToMetricValue(members));
  members = {};
  members.ports = {65536};
  EXPECT_EQ(ToMetricValue(members).error().message(), "ports: 65536 should be in range[0,65535]");
  members = {};
  members.cidrs = {"10.0.0.0/8", "10.0.0.0/33"};
  EXPECT_EQ(ToMetricValue(members).error().message(), "cidrs: 10.0.0.0/33 is no IP address or prefix");
  members = {};
  members.count = -1;
  EXPECT_FALSE(ToMetricValue(members));
}

}  // namespace
}  // namespace fleetward::model
