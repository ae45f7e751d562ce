#include "alarm/reason.h"

#include <cmath>
#include <cstdio>

#include "statistical/threshold.h"

namespace fleetward::detect {
namespace {

std::string NumberText(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", number);
  return text;
}

std::string Seconds(std::int64_t ms) { return NumberText(static_cast<double>(ms) / 1000.0) + " s"; }

std::string Scalar(const model::MetricValue& value) {
  if (auto* count = std::get_if<model::Count>(&value)) return std::to_string(count->value);
  if (auto* number = std::get_if<model::Number>(&value)) return NumberText(number->value);
  return "";
}

bool IsList(const PlanBehavior& behavior) {
  auto kind = behavior.code->kind;
  return kind != model::ValueKind::kCount && kind != model::ValueKind::kNumber;
}

const std::string& MetricName(const PlanBehavior& behavior) {
  static const std::string kNone;
  return behavior.definition->metric ? *behavior.definition->metric : kNone;
}

std::string Unit(const PlanBehavior& behavior) {
  if (behavior.code->feed == Feed::kSilence) return " seconds";
  return behavior.code->feed == Feed::kOffline ? " minutes" : "";
}

/// Why a thing is silent, as far as it is known.
std::string SilenceText(const PlanBehavior& behavior, bool violating, std::optional<bool> connected) {
  if (behavior.code->feed != Feed::kSilence || !violating) return "";
  if (!connected) return "; the thing was never seen to connect";
  return *connected ? "; the thing is connected: its agent has stopped or reports elsewhere" : "; the thing is offline";
}

/// "less-than 10000", "less-than-equals 1200 (p99 of 49 other things in the 300 s before …)", "between 3 and 17 (…)".
std::string Normal(const PlanBehavior& behavior, const std::optional<Expectation>& expected) {
  const auto& criteria = *behavior.definition->criteria;
  if (criteria.type() == model::CriteriaType::kStatistical) {
    std::string op(model::OperatorName(*criteria.comparison_operator));
    if (!expected || !(expected->low || expected->high)) return op + " " + *criteria.statistic + " of the other things";
    return op + " " + NumberText(expected->high ? *expected->high : *expected->low) + " (" + expected->reason + ")";
  }
  return std::string(model::OperatorName(*criteria.comparison_operator)) + " " + Scalar(criteria.value) + Unit(behavior);
}

bool NeedsInside(const PlanBehavior& behavior) {
  using enum model::ComparisonOperator;
  auto op = *behavior.definition->criteria->comparison_operator;
  return op == kInCidrSet || op == kInPortSet || op == kInSet;
}

std::string ListText(const PlanBehavior& behavior, std::uint32_t elements, std::uint32_t offending,
                     const std::string& example) {
  std::string of = " of " + std::to_string(elements) + " elements of " + MetricName(behavior);
  bool inside = NeedsInside(behavior);
  if (offending == 0) {
    return inside ? "all" + of.substr(3) + " are in the allowed set" : "none" + of + " is in the forbidden set";
  }
  std::string text = std::to_string(offending) + of + (offending == 1 ? " is " : " are ") +
                     (inside ? "not in the allowed set" : "in the forbidden set");
  if (!example.empty()) text += ", for example " + example;
  return text;
}

std::string WindowText(const PlanBehavior& behavior, const Inputs& inputs) {
  switch (behavior.code->feed) {
    case Feed::kDelta:
    case Feed::kPanes: break;
    case Feed::kSizes: return inputs.window_end == inputs.window_start ? "" : " (worst message)";
    default: return "";
  }
  if (inputs.scaled) return " in " + Seconds(inputs.needed_ms) + " (scaled from " + Seconds(inputs.covered_ms) + ")";
  return " in " + Seconds(inputs.covered_ms);
}

}  // namespace

std::string DatapointReason(const PlanBehavior& behavior, const Inputs& inputs, bool violating, Cause cause,
                            int consecutive, int needed) {
  std::string text;
  if (cause == Cause::kEmptyList) return "an empty list of " + MetricName(behavior) + " was reported, which conforms";
  if (behavior.code->type == model::CriteriaType::kMachineLearning && inputs.expected) {
    text = MetricName(behavior) + WindowText(behavior, inputs) + ": " + inputs.expected->reason;
  } else if (IsList(behavior)) {
    text = ListText(behavior, inputs.elements, inputs.offending, inputs.example);
  } else {
    text = MetricName(behavior) + " was " + Scalar(inputs.value) + Unit(behavior) + WindowText(behavior, inputs) +
           ", normal is " + Normal(behavior, inputs.expected) + SilenceText(behavior, violating, inputs.connected);
  }
  if (cause == Cause::kEarly) text += "; decided before the window's end";
  if (needed > 1) {
    text += "; " + std::string(violating ? "violating" : "conforming") + " datapoint " + std::to_string(consecutive) +
            " of " + std::to_string(needed);
  }
  return text;
}

std::string InvalidationReason(Cause cause) {
  switch (cause) {
    case Cause::kSilent: return "no value of the metric for more than two days";
    case Cause::kBehaviorChanged: return "the behavior was changed or removed";
    case Cause::kNotTargeted: return "the security profile does not cover the thing any more";
    case Cause::kProfileDeleted: return "the security profile was deleted";
    case Cause::kThingDeleted: return "the thing was deleted";
    default: return std::string(CauseName(cause));
  }
}

std::string VerdictReason(const PlanBehavior& behavior, const BehaviorExplanation& state) {
  const std::string& metric = MetricName(behavior);
  switch (state.verdict) {
    case Verdict::kNoData: return "no value of " + metric + " has come yet";
    case Verdict::kConforming:
    case Verdict::kViolating: {
      if (behavior.code->type == model::CriteriaType::kMachineLearning && state.expected) {
        return metric + ": " + state.expected->reason;
      }
      if (IsList(behavior)) {
        return ListText(behavior, state.elements, state.offending, state.example);
      }
      return metric + " was " + Scalar(state.last_value) + Unit(behavior) + ", normal is " +
             Normal(behavior, state.expected) +
             SilenceText(behavior, state.verdict == Verdict::kViolating, state.connected);
    }
    case Verdict::kEmptyList: return "the last list was empty, which conforms";
    case Verdict::kNoMessages: return "no message was sent in the last bucket, so none was on the wrong side";
    case Verdict::kWindowOpen:
      return "the first window is open: " + Seconds(state.covered_ms) + " of " + Seconds(state.needed_ms) +
             " are covered";
    case Verdict::kWindowIncomplete:
      return "the metric is watched for less than a window; only a broken upper limit counts until then";
    case Verdict::kFirstDelta: return "the first counters of the thing cover an unknown time and are not judged";
    case Verdict::kGap: return "the last counters cover a gap in the reports and are not judged";
    case Verdict::kLate: return "the last report came late: it is stored and not judged";
    case Verdict::kNoCriteria: return "the behavior has no criteria: its metric is only retained";
    case Verdict::kMetricUnknown: return "there is no metric " + metric;
    case Verdict::kKindMismatch: return "the device sends another kind of value than the type of " + metric;
    case Verdict::kNotConnected: return "the thing was not connected in the window, so there is no datapoint";
    case Verdict::kConnectionUnknown: return "the thing was never seen to connect, so its time offline is unknown";
    case Verdict::kNoAddress: return "no address was seen in the last bucket";
    case Verdict::kNotJudged: return "criteria of this kind are not judged by this version";
    case Verdict::kTooFew:
      return "too few other things with a value in the window before: " +
             std::to_string(state.expected ? state.expected->values : 0) + ", at least " +
             std::to_string(kLeastOthers) + " are needed to say what is normal";
    case Verdict::kLearning: {
      double percent = state.expected ? state.expected->percent : 0;
      return "the model of this thing's " + metric + " has seen " +
             std::to_string(state.expected ? state.expected->values : 0) + " values (" +
             NumberText(std::floor(percent)) + " % of what it wants) and does not judge yet";
    }
    case Verdict::kNegativeValues:
      return "some thing's " + metric + " is negative, and percentiles of such a metric are not defined";
    case Verdict::kUnobserved: return "the broker or the server was away for a part of the window";
  }
  return "";
}

}  // namespace fleetward::detect
