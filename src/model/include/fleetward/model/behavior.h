// SecurityProfile, Behavior and what they consist of (reference: detect.md §3, §6). Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/metric.h"
#include "fleetward/model/names.h"

namespace fleetward::model {

enum class ComparisonOperator : std::uint8_t {
  kLessThan, kLessThanEquals, kGreaterThan, kGreaterThanEquals,
  kInCidrSet, kNotInCidrSet, kInPortSet, kNotInPortSet, kInSet, kNotInSet,
};
std::string_view OperatorName(ComparisonOperator op);  // "less-than-equals"
std::optional<ComparisonOperator> ParseOperator(std::string_view name);

enum class ConfidenceLevel : std::uint8_t { kLow, kMedium, kHigh };
std::string_view ConfidenceLevelName(ConfidenceLevel level);  // "HIGH"

enum class CriteriaType : std::uint8_t { kStatic, kStatistical, kMachineLearning };
std::string_view CriteriaTypeName(CriteriaType type);  // "STATIC"

enum class DimensionOperator : std::uint8_t { kIn, kNotIn };
std::string_view DimensionOperatorName(DimensionOperator op);  // "NOT_IN"
std::optional<DimensionOperator> ParseDimensionOperator(std::string_view name);
std::optional<ConfidenceLevel> ParseConfidenceLevel(std::string_view name);

struct MetricDimension {
  DimensionName dimension_name;
  DimensionOperator op = DimensionOperator::kIn;
  /// False: the operator was left out and is shown so; it means IN all the same.
  bool op_given = true;
  bool operator==(const MetricDimension& other) const {
    return dimension_name == other.dimension_name && op == other.op;
  }
};

/// What is normal. Exactly one of value, statistic and ml_confidence is set, or none (nothing is evaluated).
struct BehaviorCriteria {
  std::optional<ComparisonOperator> comparison_operator;
  MetricValue value;                          // monostate: no static value
  /// The texts `value`'s cidrs were parsed from, one each, so that they are shown as they were given; or empty.
  std::vector<std::string> cidr_texts;
  std::string value_fault;                    // a value was given that is none: why; such criteria are not valid
  std::optional<std::int32_t> duration_seconds;
  std::optional<std::int32_t> consecutive_datapoints_to_alarm;  // 1-10, default 1
  std::optional<std::int32_t> consecutive_datapoints_to_clear;  // 1-10, default 1
  std::optional<std::string> statistic;       // "p99.9"
  std::optional<ConfidenceLevel> ml_confidence;
  bool operator==(const BehaviorCriteria&) const = default;

  CriteriaType type() const {
    if (statistic) return CriteriaType::kStatistical;
    return ml_confidence ? CriteriaType::kMachineLearning : CriteriaType::kStatic;
  }
};

struct Behavior {
  BehaviorName name;
  std::optional<std::string> metric;          // API name, built-in or custom
  std::optional<MetricDimension> dimension;
  std::optional<BehaviorCriteria> criteria;
  std::optional<bool> suppress_alerts;
  std::optional<bool> export_metric;
  bool operator==(const Behavior&) const = default;

  /// Same metric, dimension and criteria: what was counted for the one counts for the other (detect.md §8).
  bool SameDefinition(const Behavior& other) const {
    return metric == other.metric && dimension == other.dimension && criteria == other.criteria;
  }
};

struct MetricToRetain {
  std::string metric;
  std::optional<MetricDimension> dimension;
  std::optional<bool> export_metric;
  bool operator==(const MetricToRetain&) const = default;
};

/// What a profile is attached to: all things, all registered or unregistered ones, or one group (with its
/// descendants, detect.md §6).
struct ProfileTarget {
  enum class Kind : std::uint8_t { kAllThings, kAllRegistered, kAllUnregistered, kThingGroup };
  Kind kind = Kind::kAllThings;
  ThingGroupName group;                       // kThingGroup only
  auto operator<=>(const ProfileTarget&) const = default;
};

struct AlertTarget {
  std::string alert_target_arn;
  std::string role_arn;
  bool operator==(const AlertTarget&) const = default;
};

/// Where the metrics with `export_metric` go.
struct MetricsExportConfig {
  std::string mqtt_topic;
  std::string role_arn;
  bool operator==(const MetricsExportConfig&) const = default;
};

struct SecurityProfile {
  SecurityProfileName name;
  std::string description;
  std::vector<Behavior> behaviors;
  std::map<std::string, AlertTarget> alert_targets;  // the only key is "SNS"
  std::vector<MetricToRetain> additional_metrics_to_retain;
  std::optional<MetricsExportConfig> metrics_export{};
  std::int64_t version = 1;
  bool operator==(const SecurityProfile&) const = default;
};

}  // namespace fleetward::model
