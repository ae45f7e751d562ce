#include "fleetward/notify/alert.h"

#include <nlohmann/json.hpp>

#include "fleetward/crypto/digest.h"
#include "fleetward/model/json.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Members in the order in which the service prints them; others follow.
ordered_json Ordered(const json& object, std::initializer_list<const char*> order) {
  ordered_json out = ordered_json::object();
  for (const char* key : order) {
    if (object.contains(key)) out[key] = object[key];
  }
  for (const auto& [key, value] : object.items()) {
    if (!out.contains(key)) out[key] = value;
  }
  return out;
}

ordered_json BehaviorOf(const model::Behavior& behavior) {
  json plain = model::ToJson(behavior);
  plain.erase("exportMetric");
  ordered_json criteria;
  if (plain.contains("criteria")) {
    criteria = Ordered(plain["criteria"], {"consecutiveDatapointsToClear", "value", "durationSeconds",
                                           "consecutiveDatapointsToAlarm", "comparisonOperator"});
    plain.erase("criteria");
  }
  ordered_json out = ordered_json::object();
  if (!criteria.is_null()) out["criteria"] = criteria;
  ordered_json rest = Ordered(plain, {"name", "metric", "metricDimension"});
  for (const auto& [key, value] : rest.items()) out[key] = value;
  return out;
}

}  // namespace

std::string AlertMessage(const model::ViolationEvent& event, model::VerificationState verification) {
  ordered_json j;
  j["violationEventTime"] = ToMillis(event.time);
  j["thingName"] = event.thing_name.value();
  j["behavior"] = BehaviorOf(event.behavior);
  j["violationEventType"] = model::ViolationEventTypeName(event.type);
  json value = model::ToJson(event.metric_value);
  if (!value.is_null()) j["metricValue"] = value;
  j["violationId"] = event.violation_id.Hex();
  j["securityProfileName"] = event.profile.value();
  if (event.confidence) {
    j["violationEventAdditionalInfo"] = {{"confidenceLevel", model::ConfidenceLevelName(*event.confidence)}};
  }
  if (event.type != model::ViolationEventType::kInAlarm) {
    j["verificationState"] = model::VerificationStateName(verification);
  }
  return j.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Id128 AlertMessageId(const model::ViolationEvent& event) {
  std::string input = "alert" + event.violation_id.Bytes() + static_cast<char>(event.type) +
                      std::to_string(ToMillis(event.time));
  return Id128::FromBytes(std::string_view(crypto::Sha256(input)).substr(0, 16)).value_or(Id128{});
}

std::optional<Publication> AlertFor(const model::ViolationEvent& event, model::VerificationState verification,
                                    std::string_view topic_arn) {
  if (event.behavior.suppress_alerts.value_or(false)) return std::nullopt;
  return Publication{std::string(topic_arn), AlertMessageId(event), {"", AlertMessage(event, verification), {}}};
}

std::optional<Publication> AlertFor(const Digest& digest, std::string_view topic_arn) {
  if (digest.behavior.suppress_alerts.value_or(false)) return std::nullopt;
  ordered_json j;
  j["violationEventTime"] = ToMillis(digest.window_end);
  j["behavior"] = BehaviorOf(digest.behavior);
  j["violationEventType"] = "digest";
  j["thingsInAlarm"] = digest.raised;
  j["thingsCleared"] = digest.cleared;
  j["thingNames"] = digest.names;
  j["securityProfileName"] = digest.profile;
  return Publication{std::string(topic_arn), digest.id, {"", j.dump(-1, ' ', false, ordered_json::error_handler_t::replace), {}}};
}

}  // namespace fleetward::notify
