// The rules for behaviors (reference: detect.md §1, §3, §6), used by CreateSecurityProfile, UpdateSecurityProfile and
// ValidateSecurityProfileBehaviors. Pure; every error is found, not only the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/metric.h"

namespace fleetward::model {

/// The members of the API's MetricValue as they were given, before they are judged.
struct MetricValueMembers {
  std::optional<std::int64_t> count;
  std::optional<std::vector<std::string>> cidrs;
  std::optional<std::vector<std::int64_t>> ports;
  std::optional<double> number;
  std::optional<std::vector<double>> numbers;
  std::optional<std::vector<std::string>> strings;
};

/// The value, or kInvalidArgument: not exactly one member, a negative count, a port beyond 0-65535, text that is no
/// IP address or prefix, a number that is not finite. The message names the element.
Result<MetricValue> ToMetricValue(const MetricValueMembers& members);

/// Quotas and configuration the rules depend on (detect.md §7).
struct BehaviorRules {
  /// detect.min_duration_seconds: below 300, durationSeconds from it up to 299 are allowed too.
  std::int32_t min_duration_seconds = 300;
  std::size_t max_behaviors = 100;
  std::size_t max_value_elements = 1000;   // list elements over all behaviors of a profile
  /// Type of a custom metric, nothing when there is none of this name. Unset: there are no custom metrics.
  std::function<std::optional<CustomMetricType>(std::string_view)> custom_metric;
  /// Whether a dimension of this name exists. Unset: not checked.
  std::function<bool(std::string_view)> dimension_exists;
};

/// One message for each fault, in the order of the behaviors; empty when all are well. In the service's style:
/// "Behavior b1 is malformed. consecutiveDatapointsToAlarm 100000 should be in range[1,10]".
std::vector<std::string> ValidateBehaviors(std::span<const Behavior> behaviors, const BehaviorRules& rules);

/// True for statistical criteria that at least half of the things violate by their very definition, such as
/// greater-than p99.99: a behavior describes what is normal (detect.md §3).
bool ViolatedByMost(const BehaviorCriteria& criteria);

/// What the author of well-formed behaviors probably did not mean, in plain words, with what to write instead. Not
/// errors: profiles with such behaviors are created.
std::vector<std::string> AdviseBehaviors(std::span<const Behavior> behaviors);

/// "Behavior {name} is malformed. {fault}".
std::string MalformedBehavior(std::string_view name, std::string_view fault);

/// True when durationSeconds may have this value under the rules.
bool IsAllowedDuration(std::int32_t seconds, const BehaviorRules& rules);

/// p0, p0.1, p0.01, p1, p10, p50, p90, p99, p99.9, p99.99, p100 (detect.md §3).
bool IsStatistic(std::string_view text);

/// [a-zA-Z0-9:_-]{1,128}: names of profiles, behaviors, dimensions, custom metrics.
bool IsPlainName(std::string_view text);

}  // namespace fleetward::model
