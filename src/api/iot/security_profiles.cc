#include <algorithm>

#include "detect_families.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::SecurityProfiles;
using model::SecurityProfileName;

SecurityProfileIdentifier IdentifierOf(const SecurityProfiles& profiles, const SecurityProfileName& name) {
  return {name.value(), profiles.Arn(name)};
}

/// The members that Create and Update share.
template <class Request>
registry::ProfileContent ContentOf(const Request& request) {
  registry::ProfileContent content;
  content.description = request.security_profile_description;
  if (request.behaviors) content.behaviors = ToModel(*request.behaviors);
  if (request.alert_targets) {
    content.alert_targets.emplace();
    for (const auto& [type, target] : *request.alert_targets) {
      (*content.alert_targets)[std::string(ToString(type))] = {target.alert_target_arn, target.role_arn};
    }
  }
  content.metrics_to_retain = request.additional_metrics_to_retain;
  if (request.additional_metrics_to_retain_v2) {
    content.metrics_to_retain_v2.emplace();
    for (const auto& metric : *request.additional_metrics_to_retain_v2) {
      content.metrics_to_retain_v2->push_back(ToModel(metric));
    }
  }
  if (request.metrics_export_config) {
    content.metrics_export = model::MetricsExportConfig{request.metrics_export_config->mqtt_topic,
                                                        request.metrics_export_config->role_arn};
  }
  return content;
}

/// Both forms, whichever was given: a form that was given is shown as it was, the other one follows from it.
template <class Response>
void WriteRetained(const registry::ProfileContent& content, Response& response) {
  if (!content.metrics_to_retain && !content.metrics_to_retain_v2) return;
  response.additional_metrics_to_retain = content.metrics_to_retain;
  auto& list = response.additional_metrics_to_retain_v2.emplace();
  auto shown = content.metrics_to_retain_v2 ? *content.metrics_to_retain_v2 : registry::RetainedMetrics(content);
  for (const model::MetricToRetain& metric : shown) list.push_back(ToApi(metric));
  if (response.additional_metrics_to_retain) return;
  auto& names = response.additional_metrics_to_retain.emplace();
  for (const model::MetricToRetain& metric : shown) {
    bool present = std::find(names.begin(), names.end(), metric.metric) != names.end();
    if (!metric.dimension && !present) names.push_back(metric.metric);
  }
}

/// Describe and Update answer alike.
template <class Response>
Response Described(const SecurityProfiles& profiles, const registry::SecurityProfile& profile) {
  const registry::ProfileContent& content = profile.content;
  Response response;
  response.security_profile_name = profile.name.value();
  response.security_profile_arn = profiles.Arn(profile.name);
  response.security_profile_description = content.description;
  if (content.behaviors) {
    response.behaviors.emplace();
    for (const model::Behavior& behavior : *content.behaviors) response.behaviors->push_back(ToApi(behavior));
  }
  if (content.alert_targets) {
    response.alert_targets.emplace();
    for (const auto& [type, target] : *content.alert_targets) {
      auto key = ParseAlertTargetType(type);
      if (key) (*response.alert_targets)[*key] = {target.alert_target_arn, target.role_arn};
    }
  }
  WriteRetained(content, response);
  if (content.metrics_export) {
    response.metrics_export_config = MetricsExportConfig{content.metrics_export->mqtt_topic,
                                                         content.metrics_export->role_arn};
  }
  response.version = profile.version;
  response.creation_date = profile.created;
  response.last_modified_date = profile.modified;
  return response;
}

Result<CreateSecurityProfileResponse> Create(SecurityProfiles& profiles, const CallContext& context,
                                             const CreateSecurityProfileRequest& request) {
  registry::NewSecurityProfile profile;
  profile.name = SecurityProfileName(request.security_profile_name);
  profile.content = ContentOf(request);
  FW_ASSIGN(profile.tags, TagsOf(request.tags));
  FW_ASSIGN(auto created, profiles.Create(ActorOf(context), profile));
  return CreateSecurityProfileResponse{created.name.value(), profiles.Arn(created.name)};
}

Result<UpdateSecurityProfileResponse> Update(SecurityProfiles& profiles, const CallContext& context,
                                             const UpdateSecurityProfileRequest& request) {
  registry::SecurityProfileUpdate update;
  update.content = ContentOf(request);
  update.delete_behaviors = request.delete_behaviors.value_or(false);
  update.delete_alert_targets = request.delete_alert_targets.value_or(false);
  update.delete_metrics_to_retain = request.delete_additional_metrics_to_retain.value_or(false);
  update.delete_metrics_export = request.delete_metrics_export_config.value_or(false);
  update.expected_version = request.expected_version;
  SecurityProfileName name(request.security_profile_name);
  FW_ASSIGN(auto updated, profiles.Update(ActorOf(context), name, update));
  return Described<UpdateSecurityProfileResponse>(profiles, updated);
}

Result<ListSecurityProfilesResponse> List(const SecurityProfiles& profiles, const CallContext& context,
                                          const ListSecurityProfilesRequest& request) {
  registry::SecurityProfileFilter filter{TextOf(request.dimension_name), TextOf(request.metric_name)};
  std::string binding = filter.dimension + '\0' + filter.metric;
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto names, profiles.List(filter, page));
  ListSecurityProfilesResponse response;
  response.security_profile_identifiers.emplace();
  for (const auto& name : names.items) response.security_profile_identifiers->push_back(IdentifierOf(profiles, name));
  response.next_token = NextToken(context, names.next, binding);
  return response;
}

Result<ListTargetsForSecurityProfileResponse> ListTargets(const SecurityProfiles& profiles, const CallContext& context,
                                                          const ListTargetsForSecurityProfileRequest& request) {
  // A position holds the profile's name, so it makes sense under that alone.
  const std::string& name = request.security_profile_name;
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, name));
  FW_ASSIGN(auto targets, profiles.ListTargets(SecurityProfileName(name), page));
  ListTargetsForSecurityProfileResponse response;
  response.security_profile_targets.emplace();
  for (const auto& target : targets.items) {
    response.security_profile_targets->push_back({profiles.TargetArn(target)});
  }
  response.next_token = NextToken(context, targets.next, name);
  return response;
}

Result<ListSecurityProfilesForTargetResponse> ListForTarget(const SecurityProfiles& profiles,
                                                            const CallContext& context,
                                                            const ListSecurityProfilesForTargetRequest& request) {
  bool recursive = request.recursive.value_or(false);
  std::string binding = request.security_profile_target_arn + (recursive ? "\n/" : "\n");
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto mappings, profiles.ListForTarget(request.security_profile_target_arn, recursive, page));
  ListSecurityProfilesForTargetResponse response;
  response.security_profile_target_mappings.emplace();
  for (const auto& mapping : mappings.items) {
    response.security_profile_target_mappings->push_back(
        {IdentifierOf(profiles, mapping.profile), SecurityProfileTarget{profiles.TargetArn(mapping.target)}});
  }
  response.next_token = NextToken(context, mappings.next, binding);
  return response;
}

Result<ValidateSecurityProfileBehaviorsResponse> Validate(const SecurityProfiles& profiles,
                                                          const ValidateSecurityProfileBehaviorsRequest& request) {
  ValidateSecurityProfileBehaviorsResponse response;
  response.validation_errors.emplace();
  std::vector<model::Behavior> behaviors = ToModel(request.behaviors);
  FW_ASSIGN(auto faults, profiles.Validate(behaviors));
  for (std::string& fault : faults) response.validation_errors->push_back({std::move(fault)});
  response.valid = response.validation_errors->empty();
  for (std::string& advice : model::AdviseBehaviors(behaviors)) {
    response.validation_errors->push_back({std::move(advice)});
  }
  return response;
}

}  // namespace

void RegisterSecurityProfiles(Router& router, SecurityProfiles& profiles) {
  router.Handle<CreateSecurityProfile>(
      [&profiles](auto& context, auto& request) { return Create(profiles, context, request); });
  router.Handle<DescribeSecurityProfile>(
      [&profiles](auto&, const DescribeSecurityProfileRequest& request) -> Result<DescribeSecurityProfileResponse> {
        FW_ASSIGN(auto profile, profiles.Describe(SecurityProfileName(request.security_profile_name)));
        return Described<DescribeSecurityProfileResponse>(profiles, profile);
      });
  router.Handle<ListSecurityProfiles>(
      [&profiles](auto& context, auto& request) { return List(profiles, context, request); });
  router.Handle<UpdateSecurityProfile>(
      [&profiles](auto& context, auto& request) { return Update(profiles, context, request); });
  router.Handle<DeleteSecurityProfile>(
      [&profiles](auto& context, const DeleteSecurityProfileRequest& request) -> Result<DeleteSecurityProfileResponse> {
        FW_TRY(profiles.Delete(ActorOf(context), SecurityProfileName(request.security_profile_name),
                               request.expected_version));
        return DeleteSecurityProfileResponse{};
      });
  router.Handle<AttachSecurityProfile>(
      [&profiles](auto& context, const AttachSecurityProfileRequest& request) -> Result<AttachSecurityProfileResponse> {
        FW_TRY(profiles.Attach(ActorOf(context), SecurityProfileName(request.security_profile_name),
                               request.security_profile_target_arn));
        return AttachSecurityProfileResponse{};
      });
  router.Handle<DetachSecurityProfile>(
      [&profiles](auto& context, const DetachSecurityProfileRequest& request) -> Result<DetachSecurityProfileResponse> {
        FW_TRY(profiles.Detach(ActorOf(context), SecurityProfileName(request.security_profile_name),
                               request.security_profile_target_arn));
        return DetachSecurityProfileResponse{};
      });
  router.Handle<ListTargetsForSecurityProfile>(
      [&profiles](auto& context, auto& request) { return ListTargets(profiles, context, request); });
  router.Handle<ListSecurityProfilesForTarget>(
      [&profiles](auto& context, auto& request) { return ListForTarget(profiles, context, request); });
  router.Handle<ValidateSecurityProfileBehaviors>(
      [&profiles](auto&, auto& request) { return Validate(profiles, request); });
}

}  // namespace fleetward::api
