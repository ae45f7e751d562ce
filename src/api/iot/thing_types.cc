#include "families.h"
#include "fleetward/api/iot/things.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;
using registry::ThingType;

ThingTypeProperties PropertiesOf(const ThingType& type) {
  return {UnlessEmpty(type.description), type.searchable_attributes};
}

ThingTypeMetadata MetadataOf(const ThingType& type) {
  return {type.deprecated.has_value(), type.deprecated, type.created};
}

Result<CreateThingTypeResponse> Create(Registry& registry, const CallContext& context,
                                       const CreateThingTypeRequest& request) {
  registry::NewThingType type{.name = request.thing_type_name};
  if (request.thing_type_properties) {
    type.description = TextOf(request.thing_type_properties->thing_type_description);
    type.searchable_attributes =
        request.thing_type_properties->searchable_attributes.value_or(std::vector<std::string>());
  }
  FW_ASSIGN(type.tags, TagsOf(request.tags));
  FW_ASSIGN(ThingType created, registry.thing_types.Create(ActorOf(context), type));
  return CreateThingTypeResponse{created.name, context.arns.ThingType(created.name), created.id.Uuid()};
}

Result<DescribeThingTypeResponse> Describe(Registry& registry, const CallContext& context,
                                           const DescribeThingTypeRequest& request) {
  FW_ASSIGN(ThingType type, registry.thing_types.Describe(request.thing_type_name));
  return DescribeThingTypeResponse{type.name, type.id.Uuid(), context.arns.ThingType(type.name), PropertiesOf(type),
                                   MetadataOf(type)};
}

Result<ListThingTypesResponse> List(Registry& registry, const CallContext& context,
                                    const ListThingTypesRequest& request) {
  std::string name = TextOf(request.thing_type_name);
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, name));
  FW_ASSIGN(auto types, registry.thing_types.List(name, page));
  ListThingTypesResponse response;
  response.thing_types.emplace();
  for (const ThingType& type : types.items) {
    response.thing_types->push_back(
        {type.name, context.arns.ThingType(type.name), PropertiesOf(type), MetadataOf(type)});
  }
  response.next_token = NextToken(context, types.next, name);
  return response;
}

Result<DeprecateThingTypeResponse> Deprecate(Registry& registry, const CallContext& context,
                                             const DeprecateThingTypeRequest& request) {
  FW_TRY(registry.thing_types.Deprecate(ActorOf(context), request.thing_type_name,
                                        request.undo_deprecate.value_or(false)));
  return DeprecateThingTypeResponse{};
}

Result<DeleteThingTypeResponse> Delete(Registry& registry, const CallContext& context,
                                       const DeleteThingTypeRequest& request) {
  FW_TRY(registry.thing_types.Delete(ActorOf(context), request.thing_type_name));
  return DeleteThingTypeResponse{};
}

}  // namespace

void RegisterThingTypes(Router& router, Registry& registry) {
  router.Handle<CreateThingType>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<DescribeThingType>([&](auto& context, auto& request) {
    return Describe(registry, context, request);
  });
  router.Handle<ListThingTypes>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<DeprecateThingType>([&](auto& context, auto& request) {
    return Deprecate(registry, context, request);
  });
  router.Handle<DeleteThingType>([&](auto& context, auto& request) { return Delete(registry, context, request); });
}

}  // namespace fleetward::api
