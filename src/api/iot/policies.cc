#include <set>

#include "families.h"
#include "fleetward/api/iot/policies.h"
#include "fleetward/policy/evaluate.h"
#include "fleetward/registry/authorization.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::PolicyName;
using registry::PolicyAndVersion;
using registry::Registry;

Result<CreatePolicyResponse> Create(Registry& registry, const CallContext& context,
                                    const CreatePolicyRequest& request) {
  FW_ASSIGN(auto tags, TagsOf(request.tags));
  FW_ASSIGN(PolicyAndVersion created, registry.policies.Create(ActorOf(context), PolicyName(request.policy_name),
                                                               request.policy_document, tags));
  return CreatePolicyResponse{request.policy_name, context.arns.Policy(request.policy_name),
                              std::move(created.version.document), std::to_string(created.version.number)};
}

Result<GetPolicyResponse> Get(Registry& registry, const CallContext& context, const GetPolicyRequest& request) {
  FW_ASSIGN(PolicyAndVersion found, registry.policies.Get(PolicyName(request.policy_name)));
  return GetPolicyResponse{request.policy_name,
                           context.arns.Policy(request.policy_name),
                           std::move(found.version.document),
                           std::to_string(found.version.number),
                           found.policy.created,
                           found.policy.modified,
                           found.policy.generation.Uuid()};
}

Result<ListPoliciesResponse> List(Registry& registry, const CallContext& context, const ListPoliciesRequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = ascending ? "up" : "down";
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto policies, registry.policies.List(page));
  ListPoliciesResponse response;
  response.policies.emplace();
  for (const PolicyName& name : policies.items) {
    response.policies->push_back({name.value(), context.arns.Policy(name.value())});
  }
  response.next_marker = NextToken(context, policies.next, binding);
  return response;
}

Result<Empty> Delete(Registry& registry, const CallContext& context, const DeletePolicyRequest& request) {
  FW_TRY(registry.policies.Delete(ActorOf(context), PolicyName(request.policy_name)));
  return Empty{};
}

Result<CreatePolicyVersionResponse> CreateVersion(Registry& registry, const CallContext& context,
                                                  const CreatePolicyVersionRequest& request) {
  bool set_default = request.set_as_default.value_or(false);
  FW_ASSIGN(PolicyAndVersion created,
            registry.policies.CreateVersion(ActorOf(context), PolicyName(request.policy_name),
                                            request.policy_document, set_default));
  return CreatePolicyVersionResponse{context.arns.Policy(request.policy_name), std::move(created.version.document),
                                     std::to_string(created.version.number), set_default};
}

Result<GetPolicyVersionResponse> GetVersion(Registry& registry, const CallContext& context,
                                            const GetPolicyVersionRequest& request) {
  FW_ASSIGN(PolicyAndVersion found,
            registry.policies.GetVersion(PolicyName(request.policy_name), request.policy_version_id));
  return GetPolicyVersionResponse{context.arns.Policy(request.policy_name),
                                  request.policy_name,
                                  std::move(found.version.document),
                                  std::to_string(found.version.number),
                                  found.version.number == found.policy.default_version,
                                  found.version.created,
                                  found.policy.modified,
                                  found.policy.generation.Uuid()};
}

Result<ListPolicyVersionsResponse> ListVersions(Registry& registry, const CallContext&,
                                                const ListPolicyVersionsRequest& request) {
  FW_ASSIGN(auto versions, registry.policies.ListVersions(PolicyName(request.policy_name)));
  ListPolicyVersionsResponse response;
  response.policy_versions.emplace();
  for (const PolicyAndVersion& each : versions) {
    response.policy_versions->push_back({std::to_string(each.version.number),
                                         each.version.number == each.policy.default_version, each.version.created});
  }
  return response;
}

Result<Empty> DeleteVersion(Registry& registry, const CallContext& context,
                            const DeletePolicyVersionRequest& request) {
  FW_TRY(registry.policies.DeleteVersion(ActorOf(context), PolicyName(request.policy_name),
                                         request.policy_version_id));
  return Empty{};
}

Result<Empty> SetDefault(Registry& registry, const CallContext& context,
                         const SetDefaultPolicyVersionRequest& request) {
  FW_TRY(registry.policies.SetDefaultVersion(ActorOf(context), PolicyName(request.policy_name),
                                             request.policy_version_id));
  return Empty{};
}

Result<GetEffectivePoliciesResponse> Effective(Registry& registry, const CallContext& context,
                                               const GetEffectivePoliciesRequest& request) {
  if (!request.principal && !request.thing_name) {
    return Error(Code::kInvalidArgument, "principal or thingName is required");
  }
  FW_ASSIGN(auto policies, registry.policies.Effective(TextOf(request.principal), TextOf(request.thing_name)));
  GetEffectivePoliciesResponse response;
  response.effective_policies.emplace();
  for (registry::EffectivePolicy& each : policies) {
    response.effective_policies->push_back(
        {each.name.value(), context.arns.Policy(each.name.value()), std::move(each.document)});
  }
  return response;
}

policy::Action ActionOf(ActionType type) {
  switch (type) {
    case ActionType::kPublish: return policy::Action::kPublish;
    case ActionType::kSubscribe: return policy::Action::kSubscribe;
    case ActionType::kReceive: return policy::Action::kReceive;
    case ActionType::kConnect: break;
  }
  return policy::Action::kConnect;
}

AuthDecision DecisionOf(policy::Decision decision) {
  return ParseAuthDecision(policy::DecisionName(decision)).value_or(AuthDecision::kImplicitDeny);
}

std::vector<iot::Policy> Listed(const CallContext& context, const std::set<std::string>& names) {
  std::vector<iot::Policy> policies;
  for (const std::string& name : names) policies.push_back({name, context.arns.Policy(name)});
  return policies;
}

/// One answer for all resources of an entry: the worst of their decisions, and the policies that had a part in any.
AuthResult Judge(const CallContext& context, const registry::Authorization& authorization, const AuthInfo& info) {
  policy::Action action = ActionOf(info.action_type.value_or(ActionType::kConnect));
  std::set<std::string> allowing, denying, missing;
  std::set<std::string> silent(authorization.policies().begin(), authorization.policies().end());
  bool denied = false, allowed = true;
  for (const std::string& resource : info.resources) {
    policy::Explanation explanation = authorization.Explain(action, resource);
    for (const auto& match : explanation.allowed) allowing.insert(match.policy);
    for (const auto& match : explanation.denied) denying.insert(match.policy);
    missing.insert(explanation.missing_context.begin(), explanation.missing_context.end());
    denied = denied || explanation.decision == policy::Decision::kExplicitDeny;
    allowed = allowed && explanation.decision == policy::Decision::kAllowed;
  }
  for (const auto& names : {allowing, denying}) {
    for (const std::string& name : names) silent.erase(name);
  }
  AuthResult result;
  result.auth_info = info;
  result.allowed = Allowed{Listed(context, allowing)};
  result.denied = Denied{ImplicitDeny{Listed(context, silent)}, ExplicitDeny{Listed(context, denying)}};
  result.auth_decision = DecisionOf(denied    ? policy::Decision::kExplicitDeny
                                    : allowed ? policy::Decision::kAllowed
                                              : policy::Decision::kImplicitDeny);
  result.missing_context_values = std::vector<std::string>(missing.begin(), missing.end());
  return result;
}

Result<TestAuthorizationResponse> TestAccess(Registry& registry, const CallContext& context,
                                             const TestAuthorizationRequest& request) {
  if (request.cognito_identity_pool_id) {
    return Error(Code::kInvalidArgument, "cognitoIdentityPoolId: Cognito identities are not offered");
  }
  for (const AuthInfo& info : request.auth_infos) {
    if (!info.action_type) return Error(Code::kInvalidArgument, "authInfos: actionType is required");
  }
  registry::AuthorizationSubject subject;
  subject.principal = TextOf(request.principal);
  subject.client_id = TextOf(request.client_id);
  subject.add = request.policy_names_to_add.value_or(std::vector<std::string>());
  subject.skip = request.policy_names_to_skip.value_or(std::vector<std::string>());
  FW_ASSIGN(auto authorization, registry::Authorization::Open(registry.context(), subject));
  TestAuthorizationResponse response;
  response.auth_results.emplace();
  for (const AuthInfo& info : request.auth_infos) response.auth_results->push_back(Judge(context, authorization, info));
  return response;
}

}  // namespace

void RegisterPolicies(Router& router, Registry& registry) {
  router.Handle<CreatePolicy>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<GetPolicy>([&](auto& context, auto& request) { return Get(registry, context, request); });
  router.Handle<ListPolicies>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<DeletePolicy>([&](auto& context, auto& request) { return Delete(registry, context, request); });
  router.Handle<CreatePolicyVersion>([&](auto& context, auto& request) {
    return CreateVersion(registry, context, request);
  });
  router.Handle<GetPolicyVersion>([&](auto& context, auto& request) {
    return GetVersion(registry, context, request);
  });
  router.Handle<ListPolicyVersions>([&](auto& context, auto& request) {
    return ListVersions(registry, context, request);
  });
  router.Handle<DeletePolicyVersion>([&](auto& context, auto& request) {
    return DeleteVersion(registry, context, request);
  });
  router.Handle<SetDefaultPolicyVersion>([&](auto& context, auto& request) {
    return SetDefault(registry, context, request);
  });
  router.Handle<TestAuthorization>([&](auto& context, auto& request) {
    return TestAccess(registry, context, request);
  });
  router.Handle<GetEffectivePolicies>([&](auto& context, auto& request) {
    return Effective(registry, context, request);
  });
}

}  // namespace fleetward::api
