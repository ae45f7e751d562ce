#include "detect_families.h"

namespace fleetward::api {
namespace {

using namespace iot;
using alarms::AlarmQuery;

model::VerificationState ToModel(iot::VerificationState state) {
  switch (state) {
    case iot::VerificationState::kTruePositive: return model::VerificationState::kTruePositive;
    case iot::VerificationState::kBenignPositive: return model::VerificationState::kBenignPositive;
    case iot::VerificationState::kFalsePositive: return model::VerificationState::kFalsePositive;
    case iot::VerificationState::kUnknown: break;
  }
  return model::VerificationState::kUnknown;
}

std::optional<iot::VerificationState> ToApi(model::VerificationState state) {
  return iot::ParseVerificationState(model::VerificationStateName(state));
}

model::CriteriaType ToModel(BehaviorCriteriaType type) {
  switch (type) {
    case BehaviorCriteriaType::kStatistical: return model::CriteriaType::kStatistical;
    case BehaviorCriteriaType::kMachineLearning: return model::CriteriaType::kMachineLearning;
    case BehaviorCriteriaType::kStatic: break;
  }
  return model::CriteriaType::kStatic;
}

/// The filters of both lists.
template <class Request>
alarms::ViolationFilter FilterOf(const Request& request) {
  alarms::ViolationFilter filter;
  if (request.thing_name) filter.thing = model::ThingName(*request.thing_name);
  if (request.security_profile_name) filter.profile = model::SecurityProfileName(*request.security_profile_name);
  if (request.behavior_criteria_type) filter.criteria_type = ToModel(*request.behavior_criteria_type);
  filter.suppressed = request.list_suppressed_alerts;
  if (request.verification_state) filter.verification = ToModel(*request.verification_state);
  return filter;
}

/// A page token is good under the filters it was made with.
template <class Request>
std::string BindingOf(const Request& request) {
  std::string binding = TextOf(request.thing_name) + '\0' + TextOf(request.security_profile_name) + '\0';
  if (request.behavior_criteria_type) binding += ToString(*request.behavior_criteria_type);
  binding += '\0';
  if (request.list_suppressed_alerts) binding += *request.list_suppressed_alerts ? "suppressed" : "others";
  binding += '\0';
  if (request.verification_state) binding += ToString(*request.verification_state);
  return binding;
}

iot::ActiveViolation ToApi(const model::ActiveViolation& violation) {
  iot::ActiveViolation out;
  out.violation_id = violation.violation_id.Hex();
  out.thing_name = violation.thing_name.value();
  out.security_profile_name = violation.profile.value();
  out.behavior = api::ToApi(violation.behavior);
  out.last_violation_value = api::ToApi(violation.last_value);
  out.violation_event_additional_info = api::ToApi(violation.confidence);
  out.verification_state = ToApi(violation.verification);
  out.verification_state_description = UnlessEmpty(violation.verification_description);
  out.last_violation_time = violation.last_violation_time;
  out.violation_start_time = violation.start_time;
  return out;
}

iot::ViolationEvent ToApi(const alarms::ListedEvent& listed) {
  const model::ViolationEvent& event = listed.event;
  iot::ViolationEvent out;
  out.violation_id = event.violation_id.Hex();
  out.thing_name = event.thing_name.value();
  out.security_profile_name = event.profile.value();
  out.behavior = api::ToApi(event.behavior);
  out.metric_value = api::ToApi(event.metric_value);
  out.violation_event_additional_info = api::ToApi(event.confidence);
  out.violation_event_type = iot::ParseViolationEventType(model::ViolationEventTypeName(event.type));
  out.verification_state = ToApi(listed.verification.state);
  out.verification_state_description = UnlessEmpty(listed.verification.description);
  out.violation_event_time = event.time;
  return out;
}

Result<ListActiveViolationsResponse> ListActive(const AlarmQuery& alarms, const CallContext& context,
                                                const ListActiveViolationsRequest& request) {
  std::string binding = BindingOf(request);
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto found, alarms.Active(FilterOf(request), page.after, page.limit));
  ListActiveViolationsResponse response;
  response.active_violations.emplace();
  for (const auto& violation : found.items) response.active_violations->push_back(ToApi(violation));
  response.next_token = NextToken(context, TextOf(found.next), binding);
  return response;
}

Result<ListViolationEventsResponse> ListEvents(const AlarmQuery& alarms, const CallContext& context,
                                               const ListViolationEventsRequest& request) {
  if (request.end_time < request.start_time) {
    return Error(Code::kInvalidArgument, "endTime must not be before startTime");
  }
  std::string binding = BindingOf(request);   // a position holds in any range of time: clients may ask until "now"
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto found, alarms.Events(FilterOf(request), request.start_time, request.end_time, page.after, page.limit));
  ListViolationEventsResponse response;
  response.violation_events.emplace();
  for (const auto& event : found.items) response.violation_events->push_back(ToApi(event));
  response.next_token = NextToken(context, TextOf(found.next), binding);
  return response;
}

Result<PutVerificationStateOnViolationResponse> PutVerification(const DetectServices& services,
                                                                const CallContext& context,
                                                                const PutVerificationStateOnViolationRequest& request) {
  auto id = Id128::Parse(request.violation_id);
  std::optional<model::EntityId> entity;
  if (id) {
    FW_ASSIGN(entity, services.alarms.EntityOf(*id, context.now));
  }
  if (!entity) {
    return Error(Code::kInvalidArgument, "There is no violation " + request.violation_id + " that is on or whose events are kept");
  }
  model::VerificationState state = ToModel(request.verification_state);
  FW_TRY(services.verifications.Put(ActorOf(context), *id, {state, TextOf(request.verification_state_description)}));
  if (services.verified) services.verified(*entity, *id, state);
  return PutVerificationStateOnViolationResponse{};
}

}  // namespace

void RegisterViolations(Router& router, const DetectServices& services) {
  router.Handle<ListActiveViolations>(
      [&alarms = services.alarms](auto& context, auto& request) { return ListActive(alarms, context, request); });
  router.Handle<ListViolationEvents>(
      [&alarms = services.alarms](auto& context, auto& request) { return ListEvents(alarms, context, request); });
  router.Handle<PutVerificationStateOnViolation>(
      [services](auto& context, auto& request) { return PutVerification(services, context, request); });
}

}  // namespace fleetward::api
