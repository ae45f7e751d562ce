#include "behaviors.h"

#include <type_traits>

#include "fleetward/model/validate.h"

namespace fleetward::api {
namespace {

std::optional<model::MetricDimension> ToModel(const std::optional<iot::MetricDimension>& dimension) {
  if (!dimension) return std::nullopt;
  bool not_in = dimension->operator_ == iot::DimensionValueOperator::kNotIn;
  return model::MetricDimension{model::DimensionName(dimension->dimension_name),
                                not_in ? model::DimensionOperator::kNotIn : model::DimensionOperator::kIn,
                                dimension->operator_.has_value()};
}

std::optional<iot::MetricDimension> ToApi(const std::optional<model::MetricDimension>& dimension) {
  if (!dimension) return std::nullopt;
  iot::MetricDimension out{dimension->dimension_name.value(), std::nullopt};
  if (dimension->op_given) {
    out.operator_ = dimension->op == model::DimensionOperator::kIn ? iot::DimensionValueOperator::kIn
                                                                   : iot::DimensionValueOperator::kNotIn;
  }
  return out;
}

void ReadValue(const iot::MetricValue& value, model::BehaviorCriteria& criteria) {
  model::MetricValueMembers members{value.count, value.cidrs, std::nullopt, value.number, value.numbers, value.strings};
  if (value.ports) members.ports.emplace(value.ports->begin(), value.ports->end());
  auto read = model::ToMetricValue(members);
  if (!read.ok()) {
    criteria.value_fault = read.error().message();
    return;
  }
  criteria.value = std::move(*read);
  if (value.cidrs) criteria.cidr_texts = *value.cidrs;
}

model::BehaviorCriteria ToModel(const iot::BehaviorCriteria& criteria) {
  model::BehaviorCriteria out;
  if (criteria.comparison_operator) out.comparison_operator = model::ParseOperator(ToString(*criteria.comparison_operator));
  if (criteria.value) ReadValue(*criteria.value, out);
  out.duration_seconds = criteria.duration_seconds;
  out.consecutive_datapoints_to_alarm = criteria.consecutive_datapoints_to_alarm;
  out.consecutive_datapoints_to_clear = criteria.consecutive_datapoints_to_clear;
  if (criteria.statistical_threshold) out.statistic = criteria.statistical_threshold->statistic.value_or("");
  if (criteria.ml_detection_config) {
    out.ml_confidence = model::ParseConfidenceLevel(ToString(criteria.ml_detection_config->confidence_level));
  }
  return out;
}

iot::BehaviorCriteria ToApi(const model::BehaviorCriteria& criteria) {
  iot::BehaviorCriteria out;
  if (criteria.comparison_operator) {
    out.comparison_operator = iot::ParseComparisonOperator(model::OperatorName(*criteria.comparison_operator));
  }
  out.value = api::ToApi(criteria.value);
  bool as_given = out.value && out.value->cidrs && criteria.cidr_texts.size() == out.value->cidrs->size();
  if (as_given) out.value->cidrs = criteria.cidr_texts;
  out.duration_seconds = criteria.duration_seconds;
  out.consecutive_datapoints_to_alarm = criteria.consecutive_datapoints_to_alarm;
  out.consecutive_datapoints_to_clear = criteria.consecutive_datapoints_to_clear;
  if (criteria.statistic) out.statistical_threshold = iot::StatisticalThreshold{criteria.statistic};
  if (criteria.ml_confidence) {
    auto level = iot::ParseConfidenceLevel(model::ConfidenceLevelName(*criteria.ml_confidence));
    out.ml_detection_config = iot::MachineLearningDetectionConfig{level.value_or(iot::ConfidenceLevel::kHigh)};
  }
  return out;
}

}  // namespace

model::Behavior ToModel(const iot::Behavior& behavior) {
  model::Behavior out;
  out.name = model::BehaviorName(behavior.name);
  out.metric = behavior.metric;
  out.dimension = ToModel(behavior.metric_dimension);
  out.suppress_alerts = behavior.suppress_alerts;
  out.export_metric = behavior.export_metric;
  if (behavior.criteria) out.criteria = ToModel(*behavior.criteria);
  return out;
}

std::vector<model::Behavior> ToModel(const std::vector<iot::Behavior>& behaviors) {
  std::vector<model::Behavior> out;
  for (const iot::Behavior& behavior : behaviors) out.push_back(ToModel(behavior));
  return out;
}

model::MetricToRetain ToModel(const iot::MetricToRetain& metric) {
  return {metric.metric, ToModel(metric.metric_dimension), metric.export_metric};
}

iot::Behavior ToApi(const model::Behavior& behavior) {
  iot::Behavior out;
  out.name = behavior.name.value();
  out.metric = behavior.metric;
  out.metric_dimension = ToApi(behavior.dimension);
  if (behavior.criteria) out.criteria = ToApi(*behavior.criteria);
  out.suppress_alerts = behavior.suppress_alerts;
  out.export_metric = behavior.export_metric;
  return out;
}

iot::MetricToRetain ToApi(const model::MetricToRetain& metric) {
  return {metric.metric, ToApi(metric.dimension), metric.export_metric};
}

std::optional<iot::MetricValue> ToApi(const model::MetricValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  iot::MetricValue out;
  if (auto* count = std::get_if<model::Count>(&value)) out.count = count->value;
  if (auto* number = std::get_if<model::Number>(&value)) out.number = number->value;
  if (auto* numbers = std::get_if<model::Numbers>(&value)) out.numbers = *numbers;
  if (auto* strings = std::get_if<model::Strings>(&value)) out.strings = *strings;
  if (auto* ports = std::get_if<model::Ports>(&value)) out.ports.emplace(ports->begin(), ports->end());
  if (auto* cidrs = std::get_if<model::Cidrs>(&value)) {
    out.cidrs.emplace();
    for (const model::IpPrefix& prefix : *cidrs) out.cidrs->push_back(prefix.ToString());
  }
  return out;
}

std::optional<iot::ViolationEventAdditionalInfo> ToApi(const std::optional<model::ConfidenceLevel>& confidence) {
  if (!confidence) return std::nullopt;
  return iot::ViolationEventAdditionalInfo{iot::ParseConfidenceLevel(model::ConfidenceLevelName(*confidence))};
}

}  // namespace fleetward::api
