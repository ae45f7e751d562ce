#include "families.h"
#include "fleetward/api/iot/groups.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::ThingName;
using registry::Registry;

std::string ArnOf(const CallContext& context, const std::string& name) { return context.arns.Of("billinggroup", name); }

Result<CreateBillingGroupResponse> Create(Registry& registry, const CallContext& context,
                                          const CreateBillingGroupRequest& request) {
  registry::NewBillingGroup group{.name = request.billing_group_name};
  if (request.billing_group_properties) {
    group.description = TextOf(request.billing_group_properties->billing_group_description);
  }
  FW_ASSIGN(group.tags, TagsOf(request.tags));
  FW_ASSIGN(registry::BillingGroup created, registry.billing_groups.Create(ActorOf(context), group));
  return CreateBillingGroupResponse{created.name, ArnOf(context, created.name), created.id.Uuid()};
}

Result<DescribeBillingGroupResponse> Describe(Registry& registry, const CallContext& context,
                                              const DescribeBillingGroupRequest& request) {
  FW_ASSIGN(registry::BillingGroup group, registry.billing_groups.Describe(request.billing_group_name));
  DescribeBillingGroupResponse response;
  response.billing_group_name = group.name;
  response.billing_group_id = group.id.Uuid();
  response.billing_group_arn = ArnOf(context, group.name);
  response.version = group.version;
  response.billing_group_properties = BillingGroupProperties{UnlessEmpty(std::move(group.description))};
  response.billing_group_metadata = BillingGroupMetadata{group.created};
  return response;
}

Result<ListBillingGroupsResponse> List(Registry& registry, const CallContext& context,
                                       const ListBillingGroupsRequest& request) {
  std::string prefix = TextOf(request.name_prefix_filter);
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, prefix));
  FW_ASSIGN(auto names, registry.billing_groups.List(prefix, page));
  ListBillingGroupsResponse response;
  response.billing_groups.emplace();
  for (const std::string& name : names.items) response.billing_groups->push_back({name, ArnOf(context, name)});
  response.next_token = NextToken(context, names.next, prefix);
  return response;
}

Result<UpdateBillingGroupResponse> Update(Registry& registry, const CallContext& context,
                                          const UpdateBillingGroupRequest& request) {
  FW_ASSIGN(std::int64_t version,
            registry.billing_groups.Update(ActorOf(context), request.billing_group_name,
                                           request.billing_group_properties.billing_group_description,
                                           request.expected_version));
  return UpdateBillingGroupResponse{version};
}

Result<DeleteBillingGroupResponse> Delete(Registry& registry, const CallContext& context,
                                          const DeleteBillingGroupRequest& request) {
  FW_TRY(registry.billing_groups.Delete(ActorOf(context), request.billing_group_name, request.expected_version));
  return DeleteBillingGroupResponse{};
}

template <class Request>
Result<std::pair<std::string, ThingName>> MembershipOf(const CallContext& context, const Request& request) {
  FW_ASSIGN(std::string group, NameOrArn(context, "billinggroup", "billingGroup", request.billing_group_name,
                                         request.billing_group_arn));
  FW_ASSIGN(std::string thing, NameOrArn(context, "thing", "thing", request.thing_name, request.thing_arn));
  return std::pair(std::move(group), ThingName(std::move(thing)));
}

Result<AddThingToBillingGroupResponse> AddThing(Registry& registry, const CallContext& context,
                                                const AddThingToBillingGroupRequest& request) {
  FW_ASSIGN(auto membership, MembershipOf(context, request));
  FW_TRY(registry.billing_groups.AddThing(ActorOf(context), membership.first, membership.second));
  return AddThingToBillingGroupResponse{};
}

Result<RemoveThingFromBillingGroupResponse> RemoveThing(Registry& registry, const CallContext& context,
                                                        const RemoveThingFromBillingGroupRequest& request) {
  FW_ASSIGN(auto membership, MembershipOf(context, request));
  FW_TRY(registry.billing_groups.RemoveThing(ActorOf(context), membership.first, membership.second));
  return RemoveThingFromBillingGroupResponse{};
}

Result<ListThingsInBillingGroupResponse> ListThings(Registry& registry, const CallContext& context,
                                                    const ListThingsInBillingGroupRequest& request) {
  const std::string& group = request.billing_group_name;
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, group));
  FW_ASSIGN(auto things, registry.billing_groups.ListThings(group, page));
  ListThingsInBillingGroupResponse response;
  response.things.emplace();
  for (const ThingName& name : things.items) response.things->push_back(name.value());
  response.next_token = NextToken(context, things.next, group);
  return response;
}

}  // namespace

void RegisterBillingGroups(Router& router, Registry& registry) {
  router.Handle<CreateBillingGroup>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<DescribeBillingGroup>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListBillingGroups>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateBillingGroup>([&](auto& context, auto& request) { return Update(registry, context, request); });
  router.Handle<DeleteBillingGroup>([&](auto& context, auto& request) { return Delete(registry, context, request); });
  router.Handle<AddThingToBillingGroup>([&](auto& context, auto& request) {
    return AddThing(registry, context, request);
  });
  router.Handle<RemoveThingFromBillingGroup>([&](auto& context, auto& request) {
    return RemoveThing(registry, context, request);
  });
  router.Handle<ListThingsInBillingGroup>([&](auto& context, auto& request) {
    return ListThings(registry, context, request);
  });
}

}  // namespace fleetward::api
