#include "families.h"
#include "fleetward/api/iot/groups.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::ThingGroupName;
using model::ThingName;
using registry::Registry;

template <class Request>
Result<std::pair<ThingGroupName, ThingName>> MembershipOf(const CallContext& context, const Request& request) {
  FW_ASSIGN(std::string group,
            NameOrArn(context, "thinggroup", "thingGroup", request.thing_group_name, request.thing_group_arn));
  FW_ASSIGN(std::string thing, NameOrArn(context, "thing", "thing", request.thing_name, request.thing_arn));
  return std::pair(ThingGroupName(std::move(group)), ThingName(std::move(thing)));
}

std::vector<GroupNameAndArn> GroupsOf(const CallContext& context, const std::vector<ThingGroupName>& names) {
  std::vector<GroupNameAndArn> groups;
  for (const ThingGroupName& name : names) groups.push_back({name.value(), context.arns.ThingGroup(name.value())});
  return groups;
}

Result<CreateThingGroupResponse> Create(Registry& registry, const CallContext& context,
                                        const CreateThingGroupRequest& request) {
  registry::NewThingGroup group;
  group.name = ThingGroupName(request.thing_group_name);
  group.parent = TextOf(request.parent_group_name);
  if (request.thing_group_properties) {
    group.description = TextOf(request.thing_group_properties->thing_group_description);
    group.attributes = AttributesOf(request.thing_group_properties->attribute_payload);
  }
  FW_ASSIGN(group.tags, TagsOf(request.tags));
  FW_ASSIGN(registry::ThingGroup created, registry.thing_groups.Create(ActorOf(context), group));
  return CreateThingGroupResponse{created.name.value(), context.arns.ThingGroup(created.name.value()),
                                  created.id.Uuid()};
}

Result<DescribeThingGroupResponse> Describe(Registry& registry, const CallContext& context,
                                            const DescribeThingGroupRequest& request) {
  FW_ASSIGN(auto described, registry.thing_groups.Describe(ThingGroupName(request.thing_group_name)));
  registry::ThingGroup& group = described.group;
  DescribeThingGroupResponse response;
  response.thing_group_name = group.name.value();
  response.thing_group_id = group.id.Uuid();
  response.thing_group_arn = context.arns.ThingGroup(group.name.value());
  response.version = group.version;
  response.thing_group_properties = ThingGroupProperties{
      UnlessEmpty(std::move(group.description)), AttributePayload{std::move(group.attributes), std::nullopt}};
  response.thing_group_metadata = ThingGroupMetadata{UnlessEmpty(std::move(group.parent)),
                                                     GroupsOf(context, described.root_to_parent), group.created};
  FW_ASSIGN(auto dynamic, registry.dynamic_thing_groups.Find(group.name));
  if (dynamic) {
    response.index_name = std::string(registry::kThingsIndex);
    response.query_string = std::move(dynamic->query);
    response.query_version = std::string(registry::kQueryVersion);
    response.status = static_cast<DynamicGroupStatus>(dynamic->status);
  }
  return response;
}

Result<ListThingGroupsResponse> List(Registry& registry, const CallContext& context,
                                     const ListThingGroupsRequest& request) {
  registry::ThingGroupFilter filter{TextOf(request.parent_group), TextOf(request.name_prefix_filter),
                                    request.recursive};
  std::string binding = filter.parent + '\0' + filter.name_prefix + '\0' +
                        (!filter.recursive ? '-' : *filter.recursive ? '1' : '0');
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto groups, registry.thing_groups.List(filter, page));
  return ListThingGroupsResponse{GroupsOf(context, groups.items), NextToken(context, groups.next, binding)};
}

Result<UpdateThingGroupResponse> Update(Registry& registry, const CallContext& context,
                                        const UpdateThingGroupRequest& request) {
  registry::ThingGroupUpdate update;
  update.description = request.thing_group_properties.thing_group_description;
  const auto& payload = request.thing_group_properties.attribute_payload;
  if (payload && payload->attributes) {
    update.attributes = *payload->attributes;
    update.merge = payload->merge.value_or(false);
  }
  update.expected_version = request.expected_version;
  FW_ASSIGN(std::int64_t version, registry.thing_groups.Update(ActorOf(context),
                                                               ThingGroupName(request.thing_group_name), update));
  return UpdateThingGroupResponse{version};
}

Result<DeleteThingGroupResponse> Delete(Registry& registry, const CallContext& context,
                                        const DeleteThingGroupRequest& request) {
  FW_TRY(registry.thing_groups.Delete(ActorOf(context), ThingGroupName(request.thing_group_name),
                                      request.expected_version));
  return DeleteThingGroupResponse{};
}

Result<AddThingToThingGroupResponse> AddThing(Registry& registry, const CallContext& context,
                                              const AddThingToThingGroupRequest& request) {
  FW_ASSIGN(auto membership, MembershipOf(context, request));
  FW_TRY(registry.thing_groups.AddThing(ActorOf(context), membership.first, membership.second,
                                        request.override_dynamic_groups.value_or(false)));
  return AddThingToThingGroupResponse{};
}

Result<RemoveThingFromThingGroupResponse> RemoveThing(Registry& registry, const CallContext& context,
                                                      const RemoveThingFromThingGroupRequest& request) {
  FW_ASSIGN(auto membership, MembershipOf(context, request));
  FW_TRY(registry.thing_groups.RemoveThing(ActorOf(context), membership.first, membership.second));
  return RemoveThingFromThingGroupResponse{};
}

Result<ListThingsInThingGroupResponse> ListThings(Registry& registry, const CallContext& context,
                                                  const ListThingsInThingGroupRequest& request) {
  bool recursive = request.recursive.value_or(false);
  std::string binding = request.thing_group_name + (recursive ? "/1" : "/0");
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto things,
            registry.thing_groups.ListThings(ThingGroupName(request.thing_group_name), recursive, page));
  ListThingsInThingGroupResponse response;
  response.things.emplace();
  for (const ThingName& name : things.items) response.things->push_back(name.value());
  response.next_token = NextToken(context, things.next, binding);
  return response;
}

Result<ListThingGroupsForThingResponse> ListForThing(Registry& registry, const CallContext& context,
                                                     const ListThingGroupsForThingRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, request.thing_name));
  FW_ASSIGN(auto groups, registry.thing_groups.ListForThing(ThingName(request.thing_name), page));
  return ListThingGroupsForThingResponse{GroupsOf(context, groups.items),
                                         NextToken(context, groups.next, request.thing_name)};
}

Result<UpdateThingGroupsForThingResponse> UpdateForThing(Registry& registry, const CallContext& context,
                                                         const UpdateThingGroupsForThingRequest& request) {
  if (!request.thing_name) return Error(Code::kInvalidArgument, "thingName is required");
  std::vector<std::string> none;
  FW_TRY(registry.thing_groups.UpdateForThing(ActorOf(context), ThingName(*request.thing_name),
                                              request.thing_groups_to_add.value_or(none),
                                              request.thing_groups_to_remove.value_or(none),
                                              request.override_dynamic_groups.value_or(false)));
  return UpdateThingGroupsForThingResponse{};
}

}  // namespace

void RegisterThingGroups(Router& router, Registry& registry) {
  router.Handle<CreateThingGroup>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<DescribeThingGroup>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListThingGroups>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateThingGroup>([&](auto& context, auto& request) { return Update(registry, context, request); });
  router.Handle<DeleteThingGroup>([&](auto& context, auto& request) { return Delete(registry, context, request); });
  router.Handle<AddThingToThingGroup>([&](auto& context, auto& request) {
    return AddThing(registry, context, request);
  });
  router.Handle<RemoveThingFromThingGroup>([&](auto& context, auto& request) {
    return RemoveThing(registry, context, request);
  });
  router.Handle<ListThingsInThingGroup>([&](auto& context, auto& request) {
    return ListThings(registry, context, request);
  });
  router.Handle<ListThingGroupsForThing>([&](auto& context, auto& request) {
    return ListForThing(registry, context, request);
  });
  router.Handle<UpdateThingGroupsForThing>([&](auto& context, auto& request) {
    return UpdateForThing(registry, context, request);
  });
}

}  // namespace fleetward::api
