// JSON forms of behaviors and metric values with the API's member names: what the alert message shows, what stores keep,
// what the API converts to. Members in alphabetical order, absent ones left out: one value has one text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/metric.h"

namespace fleetward::model {

/// {"count":64}, {"cidrs":["192.0.2.1","10.0.0.0/8"]}, {"ports":[22]}, {"number":0.5}, {"numbers":[1,2]},
/// {"strings":["a"]}; null for no value.
nlohmann::json ToJson(const MetricValue& value);
/// {"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":20},"consecutiveDatapointsToAlarm":1,…}
nlohmann::json ToJson(const BehaviorCriteria& criteria);
/// {"name":"fewMessages","metric":"aws:num-messages-sent","criteria":{…},"suppressAlerts":true,…}
nlohmann::json ToJson(const Behavior& behavior);
nlohmann::json ToJson(const MetricToRetain& metric);
/// securityProfileName, securityProfileDescription, behaviors, alertTargets, additionalMetricsToRetainV2, version.
nlohmann::json ToJson(const SecurityProfile& profile);

/// The inverse. kInvalidArgument names the member that is wrong; unknown members are ignored. The rules across
/// members are ValidateBehaviors'.
Result<MetricValue> MetricValueFromJson(const nlohmann::json& json);
Result<BehaviorCriteria> BehaviorCriteriaFromJson(const nlohmann::json& json);
Result<Behavior> BehaviorFromJson(const nlohmann::json& json);
Result<MetricToRetain> MetricToRetainFromJson(const nlohmann::json& json);
Result<SecurityProfile> SecurityProfileFromJson(const nlohmann::json& json);

/// The same as text, without spaces; for users that do not see the JSON library.
std::string ToJsonText(const MetricValue& value);
std::string ToJsonText(const Behavior& behavior);
std::string ToJsonText(const SecurityProfile& profile);
Result<MetricValue> ParseMetricValue(std::string_view text);
Result<Behavior> ParseBehavior(std::string_view text);
Result<SecurityProfile> ParseSecurityProfile(std::string_view text);

}  // namespace fleetward::model
