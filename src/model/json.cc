#include "fleetward/model/json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "fleetward/model/validate.h"

namespace fleetward::model {
namespace {

using nlohmann::json;

Error Wrong(std::string_view member, std::string_view should) {
  return Error(Code::kInvalidArgument, std::string(member) + " should be " + std::string(should));
}

const json* Find(const json& object, const char* member) {
  auto at = object.find(member);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

Status Read(const json& object, const char* member, std::optional<std::string>& out) {
  const json* at = Find(object, member);
  if (!at) return {};
  if (!at->is_string()) return Wrong(member, "a string");
  out = at->get<std::string>();
  return {};
}

Status Read(const json& object, const char* member, std::optional<bool>& out) {
  const json* at = Find(object, member);
  if (!at) return {};
  if (!at->is_boolean()) return Wrong(member, "true or false");
  out = at->get<bool>();
  return {};
}

/// Integral floats (300.0) are integers too: some clients have no others.
std::optional<std::int64_t> AsInteger(const json& value) {
  if (value.is_number_unsigned()) {
    auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  double number = value.get<double>();
  if (!(number > -9.2e18 && number < 9.2e18)) return std::nullopt;
  auto whole = static_cast<std::int64_t>(number);
  if (static_cast<double>(whole) != number) return std::nullopt;
  return whole;
}

Status Read(const json& object, const char* member, std::optional<std::int64_t>& out) {
  const json* at = Find(object, member);
  if (!at) return {};
  out = AsInteger(*at);
  if (!out) return Wrong(member, "an integer");
  return {};
}

Status Read(const json& object, const char* member, std::optional<std::int32_t>& out) {
  std::optional<std::int64_t> wide;
  FW_TRY(Read(object, member, wide));
  if (!wide) return {};
  if (*wide < std::numeric_limits<std::int32_t>::min() || *wide > std::numeric_limits<std::int32_t>::max()) {
    return Wrong(member, "a 32-bit integer");
  }
  out = static_cast<std::int32_t>(*wide);
  return {};
}

Status Read(const json& object, const char* member, std::optional<double>& out) {
  const json* at = Find(object, member);
  if (!at) return {};
  if (!at->is_number()) return Wrong(member, "a number");
  out = at->get<double>();
  return {};
}

std::optional<std::string> AsElement(const json& value, std::string*) {
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}
std::optional<double> AsElement(const json& value, double*) {
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}
std::optional<std::int64_t> AsElement(const json& value, std::int64_t*) { return AsInteger(value); }

template <class T>
Status Read(const json& object, const char* member, std::optional<std::vector<T>>& out, std::string_view of_what) {
  const json* at = Find(object, member);
  if (!at) return {};
  if (!at->is_array()) return Wrong(member, "a list");
  out.emplace();
  for (const json& value : *at) {
    auto element = AsElement(value, static_cast<T*>(nullptr));
    if (!element) return Wrong(member, "a list of " + std::string(of_what));
    out->push_back(std::move(*element));
  }
  return {};
}

Status NeedObject(const json& value, std::string_view what) {
  if (!value.is_object()) return Wrong(what, "an object");
  return {};
}

struct ValueToJson {
  json operator()(const std::monostate&) const { return nullptr; }
  json operator()(const Count& count) const { return {{"count", count.value}}; }
  json operator()(const Number& number) const { return {{"number", number.value}}; }
  json operator()(const Cidrs& cidrs) const {
    json list = json::array();
    for (const IpPrefix& prefix : cidrs) list.push_back(prefix.ToString());
    return {{"cidrs", std::move(list)}};
  }
  json operator()(const Ports& ports) const { return List("ports", json(ports)); }
  json operator()(const Numbers& numbers) const { return List("numbers", json(numbers)); }
  json operator()(const Strings& strings) const { return List("strings", json(strings)); }
  static json List(const char* name, json list) {
    json object = json::object();
    object[name] = std::move(list);
    return object;
  }
};

json ToJson(const MetricDimension& dimension) {
  json out = {{"dimensionName", dimension.dimension_name.value()}};
  if (dimension.op_given) out["operator"] = DimensionOperatorName(dimension.op);
  return out;
}

Result<std::optional<MetricDimension>> ReadDimension(const json& object) {
  const json* at = Find(object, "metricDimension");
  if (!at) return std::optional<MetricDimension>();
  FW_TRY(NeedObject(*at, "metricDimension"));
  std::optional<std::string> name, op;
  FW_TRY(Read(*at, "dimensionName", name));
  FW_TRY(Read(*at, "operator", op));
  if (!name) return Wrong("dimensionName", "given");
  MetricDimension dimension{DimensionName(std::move(*name)), DimensionOperator::kIn, op.has_value()};
  if (op) {
    auto parsed = ParseDimensionOperator(*op);
    if (!parsed) return Wrong("operator", "IN or NOT_IN");
    dimension.op = *parsed;
  }
  return std::optional<MetricDimension>(std::move(dimension));
}

Result<MetricValueMembers> ReadMembers(const json& value) {
  FW_TRY(NeedObject(value, "value"));
  MetricValueMembers members;
  FW_TRY(Read(value, "count", members.count));
  FW_TRY(Read(value, "cidrs", members.cidrs, "strings"));
  FW_TRY(Read(value, "ports", members.ports, "integers"));
  FW_TRY(Read(value, "number", members.number));
  FW_TRY(Read(value, "numbers", members.numbers, "numbers"));
  FW_TRY(Read(value, "strings", members.strings, "strings"));
  return members;
}

Status ReadKindOfCriteria(const json& object, BehaviorCriteria& criteria) {
  if (const json* value = Find(object, "value")) {
    FW_ASSIGN(MetricValueMembers members, ReadMembers(*value));
    FW_ASSIGN(criteria.value, ToMetricValue(members));
    if (members.cidrs) criteria.cidr_texts = std::move(*members.cidrs);
  }
  if (const json* threshold = Find(object, "statisticalThreshold")) {
    FW_TRY(NeedObject(*threshold, "statisticalThreshold"));
    FW_TRY(Read(*threshold, "statistic", criteria.statistic));
  }
  if (const json* ml = Find(object, "mlDetectionConfig")) {
    FW_TRY(NeedObject(*ml, "mlDetectionConfig"));
    std::optional<std::string> level;
    FW_TRY(Read(*ml, "confidenceLevel", level));
    criteria.ml_confidence = level ? ParseConfidenceLevel(*level) : std::nullopt;
    if (!criteria.ml_confidence) return Wrong("confidenceLevel", "LOW, MEDIUM or HIGH");
  }
  return {};
}

Result<json> Parse(std::string_view text) {
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return Error(Code::kInvalidArgument, "this is no JSON");
  return parsed;
}

/// Names of unregistered things and strings of devices may be anything: bad UTF-8 must not throw.
std::string Text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<std::map<std::string, AlertTarget>> ReadAlertTargets(const json& object) {
  std::map<std::string, AlertTarget> targets;
  const json* at = Find(object, "alertTargets");
  if (!at) return targets;
  FW_TRY(NeedObject(*at, "alertTargets"));
  for (auto entry = at->begin(); entry != at->end(); ++entry) {
    FW_TRY(NeedObject(entry.value(), "alertTargets"));
    std::optional<std::string> target, role;
    FW_TRY(Read(entry.value(), "alertTargetArn", target));
    FW_TRY(Read(entry.value(), "roleArn", role));
    targets[entry.key()] = AlertTarget{target.value_or(""), role.value_or("")};
  }
  return targets;
}

Result<std::optional<MetricsExportConfig>> ReadMetricsExport(const json& object) {
  const json* at = Find(object, "metricsExportConfig");
  if (!at) return std::optional<MetricsExportConfig>();
  FW_TRY(NeedObject(*at, "metricsExportConfig"));
  std::optional<std::string> topic, role;
  FW_TRY(Read(*at, "mqttTopic", topic));
  FW_TRY(Read(*at, "roleArn", role));
  return std::optional(MetricsExportConfig{topic.value_or(""), role.value_or("")});
}

template <class T, class Reader>
Result<std::vector<T>> ReadList(const json& object, const char* member, Reader reader) {
  std::vector<T> list;
  const json* at = Find(object, member);
  if (!at) return list;
  if (!at->is_array()) return Wrong(member, "a list");
  for (const json& entry : *at) {
    FW_ASSIGN(T element, reader(entry));
    list.push_back(std::move(element));
  }
  return list;
}

}  // namespace

json ToJson(const MetricValue& value) { return std::visit(ValueToJson(), value); }

json ToJson(const BehaviorCriteria& criteria) {
  json out = json::object();
  if (criteria.comparison_operator) out["comparisonOperator"] = OperatorName(*criteria.comparison_operator);
  if (!std::holds_alternative<std::monostate>(criteria.value)) {
    out["value"] = ToJson(criteria.value);
    auto* cidrs = std::get_if<Cidrs>(&criteria.value);
    if (cidrs && criteria.cidr_texts.size() == cidrs->size()) out["value"]["cidrs"] = criteria.cidr_texts;
  }
  if (criteria.duration_seconds) out["durationSeconds"] = *criteria.duration_seconds;
  if (auto n = criteria.consecutive_datapoints_to_alarm) out["consecutiveDatapointsToAlarm"] = *n;
  if (auto n = criteria.consecutive_datapoints_to_clear) out["consecutiveDatapointsToClear"] = *n;
  if (criteria.statistic) out["statisticalThreshold"] = {{"statistic", *criteria.statistic}};
  if (criteria.ml_confidence) {
    out["mlDetectionConfig"] = {{"confidenceLevel", ConfidenceLevelName(*criteria.ml_confidence)}};
  }
  return out;
}

json ToJson(const Behavior& behavior) {
  json out = {{"name", behavior.name.value()}};
  if (behavior.metric) out["metric"] = *behavior.metric;
  if (behavior.dimension) out["metricDimension"] = ToJson(*behavior.dimension);
  if (behavior.criteria) out["criteria"] = ToJson(*behavior.criteria);
  if (behavior.suppress_alerts) out["suppressAlerts"] = *behavior.suppress_alerts;
  if (behavior.export_metric) out["exportMetric"] = *behavior.export_metric;
  return out;
}

json ToJson(const MetricToRetain& metric) {
  json out = {{"metric", metric.metric}};
  if (metric.dimension) out["metricDimension"] = ToJson(*metric.dimension);
  if (metric.export_metric) out["exportMetric"] = *metric.export_metric;
  return out;
}

json ToJson(const SecurityProfile& profile) {
  json behaviors = json::array(), retained = json::array(), targets = json::object();
  for (const Behavior& behavior : profile.behaviors) behaviors.push_back(ToJson(behavior));
  for (const MetricToRetain& metric : profile.additional_metrics_to_retain) retained.push_back(ToJson(metric));
  for (const auto& [type, target] : profile.alert_targets) {
    targets[type] = {{"alertTargetArn", target.alert_target_arn}, {"roleArn", target.role_arn}};
  }
  json out = {{"securityProfileName", profile.name.value()},
              {"securityProfileDescription", profile.description},
              {"behaviors", std::move(behaviors)},
              {"alertTargets", std::move(targets)},
              {"additionalMetricsToRetainV2", std::move(retained)},
              {"version", profile.version}};
  if (const auto& config = profile.metrics_export) {
    out["metricsExportConfig"] = {{"mqttTopic", config->mqtt_topic}, {"roleArn", config->role_arn}};
  }
  return out;
}

Result<MetricValue> MetricValueFromJson(const json& value) {
  if (value.is_null()) return MetricValue();
  FW_ASSIGN(MetricValueMembers members, ReadMembers(value));
  return ToMetricValue(members);
}

Result<BehaviorCriteria> BehaviorCriteriaFromJson(const json& object) {
  FW_TRY(NeedObject(object, "criteria"));
  BehaviorCriteria criteria;
  std::optional<std::string> op;
  FW_TRY(Read(object, "comparisonOperator", op));
  if (op) {
    criteria.comparison_operator = ParseOperator(*op);
    if (!criteria.comparison_operator) return Wrong("comparisonOperator", "an operator, not " + *op);
  }
  FW_TRY(Read(object, "durationSeconds", criteria.duration_seconds));
  FW_TRY(Read(object, "consecutiveDatapointsToAlarm", criteria.consecutive_datapoints_to_alarm));
  FW_TRY(Read(object, "consecutiveDatapointsToClear", criteria.consecutive_datapoints_to_clear));
  FW_TRY(ReadKindOfCriteria(object, criteria));
  return criteria;
}

Result<Behavior> BehaviorFromJson(const json& object) {
  FW_TRY(NeedObject(object, "behavior"));
  std::optional<std::string> name;
  FW_TRY(Read(object, "name", name));
  if (!name) return Wrong("name", "given");
  Behavior behavior;
  behavior.name = BehaviorName(std::move(*name));
  FW_TRY(Read(object, "metric", behavior.metric));
  FW_ASSIGN(behavior.dimension, ReadDimension(object));
  FW_TRY(Read(object, "suppressAlerts", behavior.suppress_alerts));
  FW_TRY(Read(object, "exportMetric", behavior.export_metric));
  if (const json* criteria = Find(object, "criteria")) {
    FW_ASSIGN(behavior.criteria, BehaviorCriteriaFromJson(*criteria));
  }
  return behavior;
}

Result<MetricToRetain> MetricToRetainFromJson(const json& object) {
  FW_TRY(NeedObject(object, "metric to retain"));
  std::optional<std::string> name;
  FW_TRY(Read(object, "metric", name));
  if (!name) return Wrong("metric", "given");
  MetricToRetain metric;
  metric.metric = std::move(*name);
  FW_ASSIGN(metric.dimension, ReadDimension(object));
  FW_TRY(Read(object, "exportMetric", metric.export_metric));
  return metric;
}

Result<SecurityProfile> SecurityProfileFromJson(const json& object) {
  FW_TRY(NeedObject(object, "security profile"));
  SecurityProfile profile;
  std::optional<std::string> name, description;
  std::optional<std::int64_t> version;
  FW_TRY(Read(object, "securityProfileName", name));
  if (!name) return Wrong("securityProfileName", "given");
  FW_TRY(Read(object, "securityProfileDescription", description));
  FW_TRY(Read(object, "version", version));
  profile.name = SecurityProfileName(std::move(*name));
  profile.description = description.value_or("");
  profile.version = version.value_or(1);
  FW_ASSIGN(profile.behaviors, ReadList<Behavior>(object, "behaviors", BehaviorFromJson));
  FW_ASSIGN(profile.additional_metrics_to_retain,
            ReadList<MetricToRetain>(object, "additionalMetricsToRetainV2", MetricToRetainFromJson));
  FW_ASSIGN(profile.alert_targets, ReadAlertTargets(object));
  FW_ASSIGN(profile.metrics_export, ReadMetricsExport(object));
  return profile;
}

std::string ToJsonText(const MetricValue& value) {
  // By far the most frequent ones.
  if (auto* count = std::get_if<Count>(&value)) return "{\"count\":" + std::to_string(count->value) + "}";
  return Text(ToJson(value));
}
std::string ToJsonText(const Behavior& behavior) { return Text(ToJson(behavior)); }
std::string ToJsonText(const SecurityProfile& profile) { return Text(ToJson(profile)); }

Result<MetricValue> ParseMetricValue(std::string_view text) {
  FW_ASSIGN(json parsed, Parse(text));
  return MetricValueFromJson(parsed);
}

Result<Behavior> ParseBehavior(std::string_view text) {
  FW_ASSIGN(json parsed, Parse(text));
  return BehaviorFromJson(parsed);
}

Result<SecurityProfile> ParseSecurityProfile(std::string_view text) {
  FW_ASSIGN(json parsed, Parse(text));
  return SecurityProfileFromJson(parsed);
}

}  // namespace fleetward::model
