#include "fleetward/model/validate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace fleetward::model {
namespace {

constexpr std::array<std::int32_t, 5> kDurations = {300, 600, 900, 1800, 3600};
constexpr std::array<std::string_view, 11> kStatistics = {"p0",  "p0.1", "p0.01", "p1",     "p10", "p50",
                                                          "p90", "p99",  "p99.9", "p99.99", "p100"};

/// What the rules need to know of a metric, built in or custom.
struct MetricFacts {
  ValueKind kind = ValueKind::kCount;
  bool needs_duration = false;
  bool statistical = false;
  bool ml = false;
  bool dimension = false;
  bool only_upper_limits = false;   // aws:disconnect-duration, fleetward:report-silence
};

std::optional<MetricFacts> FactsOf(std::string_view name, const BehaviorRules& rules) {
  if (const MetricInfo* info = FindBuiltinMetric(name)) {
    return MetricFacts{info->kind, info->needs_duration, info->statistical, info->ml, info->dimension,
                       info->id == BuiltinMetric::kDisconnectDuration || info->id == BuiltinMetric::kReportSilence};
  }
  if (!rules.custom_metric) return std::nullopt;
  auto type = rules.custom_metric(name);
  if (!type) return std::nullopt;
  bool number = *type == CustomMetricType::kNumber;
  return MetricFacts{KindOf(*type), false, number, number, false, false};
}

bool IsNumeric(ComparisonOperator op) { return op <= ComparisonOperator::kGreaterThanEquals; }

bool OperatorFits(ComparisonOperator op, const MetricFacts& facts) {
  using enum ComparisonOperator;
  if (facts.only_upper_limits) return op == kLessThan || op == kLessThanEquals;
  switch (facts.kind) {
    case ValueKind::kCount:
    case ValueKind::kNumber: return IsNumeric(op);
    case ValueKind::kCidrs: return op == kInCidrSet || op == kNotInCidrSet;
    case ValueKind::kPorts: return op == kInPortSet || op == kNotInPortSet;
    case ValueKind::kNumbers:
    case ValueKind::kStrings: return op == kInSet || op == kNotInSet;
  }
  return false;
}

constexpr std::array<std::string_view, 6> kKindNames = {"count", "cidrs", "ports", "number", "numbers", "strings"};
std::string_view MemberName(ValueKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

/// Only for values that are not monostate.
ValueKind KindOfValue(const MetricValue& value) {
  constexpr std::array<ValueKind, 7> kKinds = {ValueKind::kCount, ValueKind::kCount,   ValueKind::kCidrs,
                                               ValueKind::kPorts, ValueKind::kNumber, ValueKind::kNumbers,
                                               ValueKind::kStrings};
  return kKinds[value.index()];
}

std::size_t ElementsOf(const MetricValue& value) {
  if (auto* cidrs = std::get_if<Cidrs>(&value)) return cidrs->size();
  if (auto* ports = std::get_if<Ports>(&value)) return ports->size();
  if (auto* numbers = std::get_if<Numbers>(&value)) return numbers->size();
  if (auto* strings = std::get_if<Strings>(&value)) return strings->size();
  return 0;
}

/// Collects the faults of one behavior.
class Checker {
 public:
  Checker(const Behavior& behavior, const BehaviorRules& rules, std::vector<std::string>& errors)
      : behavior_(behavior), rules_(rules), errors_(errors) {}

  void Check() {
    if (!IsPlainName(behavior_.name.value())) Fault("name must be 1 to 128 characters of [a-zA-Z0-9:_-]");
    std::optional<MetricFacts> facts;
    if (behavior_.metric) {
      facts = FactsOf(*behavior_.metric, rules_);
      if (!facts) Fault("metric " + *behavior_.metric + " is neither a built-in nor a custom metric");
    }
    if (behavior_.dimension) CheckDimension(facts);
    if (!behavior_.criteria) return;
    if (!behavior_.metric) Fault("criteria needs a metric");
    CheckCriteria(*behavior_.criteria, facts);
  }

 private:
  void Fault(std::string_view fault) { errors_.push_back(MalformedBehavior(behavior_.name.value(), fault)); }

  void CheckDimension(const std::optional<MetricFacts>& facts) {
    const std::string& name = behavior_.dimension->dimension_name.value();
    if (!behavior_.metric) {
      Fault("metricDimension needs a metric");
    } else if (facts && !facts->dimension) {
      Fault("metric " + *behavior_.metric + " cannot be used with a dimension");
    }
    if (rules_.dimension_exists && !rules_.dimension_exists(name)) Fault("dimension " + name + " does not exist");
  }

  void CheckCriteria(const BehaviorCriteria& criteria, const std::optional<MetricFacts>& facts) {
    CheckDatapoints("consecutiveDatapointsToAlarm", criteria.consecutive_datapoints_to_alarm);
    CheckDatapoints("consecutiveDatapointsToClear", criteria.consecutive_datapoints_to_clear);
    bool readable = !std::holds_alternative<std::monostate>(criteria.value);
    bool has_value = readable || !criteria.value_fault.empty();
    if (!criteria.value_fault.empty()) Fault(criteria.value_fault);
    int kinds = has_value + criteria.statistic.has_value() + criteria.ml_confidence.has_value();
    if (kinds != 1) {
      Fault("criteria must have exactly one of value, statisticalThreshold and mlDetectionConfig");
    }
    if (criteria.duration_seconds && !IsAllowedDuration(*criteria.duration_seconds, rules_)) {
      Fault("durationSeconds " + std::to_string(*criteria.duration_seconds) + " should be " + DurationsText());
    }
    if ((has_value || criteria.statistic) && !criteria.comparison_operator) {
      Fault("criteria must have a comparisonOperator");
    }
    if (!facts) return;
    if (has_value) CheckStatic(criteria, *facts);
    if (criteria.statistic) CheckStatistical(criteria, *facts);
    if (criteria.ml_confidence && !facts->ml) Fault("metric " + *behavior_.metric + " cannot be used with ML Detect");
  }

  void CheckStatic(const BehaviorCriteria& criteria, const MetricFacts& facts) {
    if (criteria.comparison_operator && !OperatorFits(*criteria.comparison_operator, facts)) FaultOperator(criteria);
    if (criteria.value_fault.empty()) CheckKind(KindOfValue(criteria.value), facts);
    if (facts.needs_duration && !criteria.duration_seconds) FaultDuration();
  }

  void CheckKind(ValueKind given, const MetricFacts& facts) {
    // The service's own pages write limits of custom numbers both ways (detect.md §1).
    bool fits = given == facts.kind || (facts.kind == ValueKind::kNumber && given == ValueKind::kCount);
    if (fits) return;
    Fault("metric " + *behavior_.metric + " needs a value of kind " + std::string(MemberName(facts.kind)) + ", not " +
          std::string(MemberName(given)));
  }

  void CheckStatistical(const BehaviorCriteria& criteria, const MetricFacts& facts) {
    if (!facts.statistical) Fault("metric " + *behavior_.metric + " cannot be used with a statisticalThreshold");
    if (!IsStatistic(*criteria.statistic)) {
      Fault("statistic " + (criteria.statistic->empty() ? "is missing: it" : *criteria.statistic) +
            " should be one of p0, p0.1, p0.01, p1, p10, p50, p90, p99, p99.9, p99.99, p100");
    }
    if (criteria.comparison_operator && !IsNumeric(*criteria.comparison_operator)) FaultOperator(criteria);
    if (!criteria.duration_seconds) FaultDuration();
  }

  void CheckDatapoints(std::string_view member, const std::optional<std::int32_t>& n) {
    if (n && (*n < 1 || *n > 10)) Fault(std::string(member) + " " + std::to_string(*n) + " should be in range[1,10]");
  }

  void FaultOperator(const BehaviorCriteria& criteria) {
    Fault("comparisonOperator " + std::string(OperatorName(*criteria.comparison_operator)) +
          " cannot be used with metric " + *behavior_.metric);
  }

  void FaultDuration() { Fault("metric " + *behavior_.metric + " requires criteria's duration field to be set"); }

  std::string DurationsText() const {
    std::string text = "one of 300, 600, 900, 1800, 3600";
    if (rules_.min_duration_seconds < 300) text += ", or from " + std::to_string(rules_.min_duration_seconds) + " to 299";
    return text;
  }

  const Behavior& behavior_;
  const BehaviorRules& rules_;
  std::vector<std::string>& errors_;
};

Result<MetricValue> CidrsValue(const std::vector<std::string>& texts) {
  Cidrs cidrs;
  cidrs.reserve(texts.size());
  for (const std::string& text : texts) {
    auto prefix = IpPrefix::Parse(text);
    if (!prefix) return Error(Code::kInvalidArgument, "cidrs: " + text + " is no IP address or prefix");
    cidrs.push_back(*prefix);
  }
  return MetricValue(std::move(cidrs));
}

Result<MetricValue> PortsValue(const std::vector<std::int64_t>& numbers) {
  Ports ports;
  ports.reserve(numbers.size());
  for (std::int64_t port : numbers) {
    if (port < 0 || port > 65535) {
      return Error(Code::kInvalidArgument, "ports: " + std::to_string(port) + " should be in range[0,65535]");
    }
    ports.push_back(static_cast<std::uint16_t>(port));
  }
  return MetricValue(std::move(ports));
}

}  // namespace

Result<MetricValue> ToMetricValue(const MetricValueMembers& members) {
  int given = members.count.has_value() + members.cidrs.has_value() + members.ports.has_value() +
              members.number.has_value() + members.numbers.has_value() + members.strings.has_value();
  if (given != 1) {
    return Error(Code::kInvalidArgument,
                 "value must have exactly one of count, cidrs, ports, number, numbers and strings");
  }
  if (members.cidrs) return CidrsValue(*members.cidrs);
  if (members.ports) return PortsValue(*members.ports);
  if (members.strings) return MetricValue(*members.strings);
  if (members.count) {
    if (*members.count < 0) return Error(Code::kInvalidArgument, "count must not be negative");
    return MetricValue(Count{*members.count});
  }
  if (members.number) {
    if (!std::isfinite(*members.number)) return Error(Code::kInvalidArgument, "number must be finite");
    return MetricValue(Number{*members.number});
  }
  for (double number : *members.numbers) {
    if (!std::isfinite(number)) return Error(Code::kInvalidArgument, "numbers must be finite");
  }
  return MetricValue(*members.numbers);
}

std::vector<std::string> ValidateBehaviors(std::span<const Behavior> behaviors, const BehaviorRules& rules) {
  std::vector<std::string> errors;
  if (behaviors.size() > rules.max_behaviors) {
    errors.push_back("A security profile can have at most " + std::to_string(rules.max_behaviors) +
                     " behaviors, not " + std::to_string(behaviors.size()));
  }
  std::set<std::string_view> names;
  std::size_t elements = 0;
  for (const Behavior& behavior : behaviors) {
    if (!names.insert(behavior.name.value()).second) {
      errors.push_back(MalformedBehavior(behavior.name.value(), "the name is used by another behavior of the profile"));
    }
    Checker(behavior, rules, errors).Check();
    if (behavior.criteria) elements += ElementsOf(behavior.criteria->value);
  }
  if (elements > rules.max_value_elements) {
    errors.push_back("The behaviors of a security profile can have at most " + std::to_string(rules.max_value_elements) +
                     " value elements, not " + std::to_string(elements));
  }
  return errors;
}

bool ViolatedByMost(const BehaviorCriteria& criteria) {
  using enum ComparisonOperator;
  if (!criteria.statistic || !criteria.comparison_operator) return false;
  auto at = std::find(kStatistics.begin(), kStatistics.end(), *criteria.statistic);
  auto rank = at - kStatistics.begin();
  constexpr std::ptrdiff_t kMedian = 5;
  if (at == kStatistics.end()) return false;
  bool lower = *criteria.comparison_operator == kGreaterThan || *criteria.comparison_operator == kGreaterThanEquals;
  return lower ? rank >= kMedian : IsNumeric(*criteria.comparison_operator) && rank <= kMedian;
}

std::vector<std::string> AdviseBehaviors(std::span<const Behavior> behaviors) {
  std::vector<std::string> advice;
  for (const Behavior& behavior : behaviors) {
    if (!behavior.criteria || !ViolatedByMost(*behavior.criteria)) continue;
    using enum ComparisonOperator;
    const BehaviorCriteria& criteria = *behavior.criteria;
    struct Words {
      std::string_view wrong;    // where the many are that violate it
      ComparisonOperator inverse;
      std::string_view few;      // and where the few are that violate that
    };
    auto words = [](ComparisonOperator op) -> Words {
      switch (op) {
        case kGreaterThan: return {"not above", kLessThanEquals, "above"};
        case kGreaterThanEquals: return {"below", kLessThan, "at or above"};
        case kLessThan: return {"not below", kGreaterThanEquals, "below"};
        default: return {"above", kGreaterThan, "at or below"};
      }
    }(*criteria.comparison_operator);
    std::string op(OperatorName(*criteria.comparison_operator));
    advice.push_back("Behavior " + behavior.name.value() + " is valid, but a behavior describes what is normal: " + op +
                     " " + *criteria.statistic + " puts every thing in alarm whose " +
                     behavior.metric.value_or("value") + " is " + std::string(words.wrong) + " the " + *criteria.statistic +
                     " of the other things: half of them or more. To alarm on the few things " + std::string(words.few) +
                     " it, use comparisonOperator " + std::string(OperatorName(words.inverse)) +
                     ". As it is, its alerts are sent as one digest for each window.");
  }
  return advice;
}

std::string MalformedBehavior(std::string_view name, std::string_view fault) {
  return "Behavior " + std::string(name) + " is malformed. " + std::string(fault);
}

bool IsAllowedDuration(std::int32_t seconds, const BehaviorRules& rules) {
  if (std::find(kDurations.begin(), kDurations.end(), seconds) != kDurations.end()) return true;
  return seconds >= std::max(rules.min_duration_seconds, 1) && seconds < 300;
}

bool IsStatistic(std::string_view text) {
  return std::find(kStatistics.begin(), kStatistics.end(), text) != kStatistics.end();
}

bool IsPlainName(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '_' ||
           c == '-';
  });
}

}  // namespace fleetward::model
