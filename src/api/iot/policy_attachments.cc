// AttachPolicy and its kin, and the older calls that name a principal instead of a target.
#include "families.h"
#include "fleetward/api/iot/policies.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::PolicyName;
using registry::Registry;

std::vector<Policy> PoliciesOf(const CallContext& context, const std::vector<PolicyName>& names) {
  std::vector<Policy> policies;
  for (const PolicyName& name : names) policies.push_back({name.value(), context.arns.Policy(name.value())});
  return policies;
}

// The older calls take certificates only.
Status CheckPrincipal(const CallContext& context, const std::string& principal) {
  if (context.arns.IdOf(principal, "cert")) return {};
  return Error(Code::kInvalidArgument, "The principal must be the ARN of a certificate of this account and region: " +
                                           principal);
}

Result<Empty> Attach(Registry& registry, const CallContext& context, const AttachPolicyRequest& request) {
  FW_TRY(registry.policies.Attach(ActorOf(context), PolicyName(request.policy_name), request.target));
  return Empty{};
}

Result<Empty> Detach(Registry& registry, const CallContext& context, const DetachPolicyRequest& request) {
  FW_TRY(registry.policies.Detach(ActorOf(context), PolicyName(request.policy_name), request.target));
  return Empty{};
}

Result<ListAttachedPoliciesResponse> ListAttached(Registry& registry, const CallContext& context,
                                                  const ListAttachedPoliciesRequest& request) {
  bool recursive = request.recursive.value_or(false);
  std::string binding = request.target + (recursive ? "/1" : "/0");
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  FW_ASSIGN(auto policies, registry.policies.ListAttached(request.target, recursive, page));
  return ListAttachedPoliciesResponse{PoliciesOf(context, policies.items),
                                      NextToken(context, policies.next, binding)};
}

Result<ListTargetsForPolicyResponse> ListTargets(Registry& registry, const CallContext& context,
                                                 const ListTargetsForPolicyRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, request.policy_name));
  FW_ASSIGN(auto targets, registry.policies.ListTargets(PolicyName(request.policy_name), false, page));
  return ListTargetsForPolicyResponse{std::move(targets.items),
                                      NextToken(context, targets.next, request.policy_name)};
}

Result<Empty> AttachPrincipal(Registry& registry, const CallContext& context,
                              const AttachPrincipalPolicyRequest& request) {
  FW_TRY(CheckPrincipal(context, request.principal));
  FW_TRY(registry.policies.Attach(ActorOf(context), PolicyName(request.policy_name), request.principal));
  return Empty{};
}

Result<Empty> DetachPrincipal(Registry& registry, const CallContext& context,
                              const DetachPrincipalPolicyRequest& request) {
  FW_TRY(CheckPrincipal(context, request.principal));
  // Unlike DetachPolicy, this call may say that there is no such policy.
  auto policy = registry.policies.Get(PolicyName(request.policy_name));
  if (!policy.ok()) return std::move(policy).error();
  FW_TRY(registry.policies.Detach(ActorOf(context), PolicyName(request.policy_name), request.principal));
  return Empty{};
}

Result<ListPrincipalPoliciesResponse> ListOfPrincipal(Registry& registry, const CallContext& context,
                                                      const ListPrincipalPoliciesRequest& request) {
  FW_TRY(CheckPrincipal(context, request.principal));
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = request.principal + (ascending ? "/up" : "/down");
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto policies, registry.policies.ListAttached(request.principal, false, page));
  return ListPrincipalPoliciesResponse{PoliciesOf(context, policies.items),
                                       NextToken(context, policies.next, binding)};
}

Result<ListPolicyPrincipalsResponse> ListPrincipals(Registry& registry, const CallContext& context,
                                                    const ListPolicyPrincipalsRequest& request) {
  bool ascending = request.ascending_order.value_or(false);
  std::string binding = request.policy_name + (ascending ? "/up" : "/down");
  FW_ASSIGN(auto page, PageOf(context, request.marker, request.page_size, binding));
  page.descending = !ascending;
  FW_ASSIGN(auto principals, registry.policies.ListTargets(PolicyName(request.policy_name), true, page));
  return ListPolicyPrincipalsResponse{std::move(principals.items), NextToken(context, principals.next, binding)};
}

}  // namespace

void RegisterPolicyAttachments(Router& router, Registry& registry) {
  router.Handle<AttachPolicy>([&](auto& context, auto& request) { return Attach(registry, context, request); });
  router.Handle<DetachPolicy>([&](auto& context, auto& request) { return Detach(registry, context, request); });
  router.Handle<ListAttachedPolicies>([&](auto& context, auto& request) {
    return ListAttached(registry, context, request);
  });
  router.Handle<ListTargetsForPolicy>([&](auto& context, auto& request) {
    return ListTargets(registry, context, request);
  });
  router.Handle<AttachPrincipalPolicy>([&](auto& context, auto& request) {
    return AttachPrincipal(registry, context, request);
  });
  router.Handle<DetachPrincipalPolicy>([&](auto& context, auto& request) {
    return DetachPrincipal(registry, context, request);
  });
  router.Handle<ListPrincipalPolicies>([&](auto& context, auto& request) {
    return ListOfPrincipal(registry, context, request);
  });
  router.Handle<ListPolicyPrincipals>([&](auto& context, auto& request) {
    return ListPrincipals(registry, context, request);
  });
}

}  // namespace fleetward::api
