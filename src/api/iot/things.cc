#include "families.h"
#include "fleetward/api/iot/things.h"
#include "fleetward/registry/register_thing.h"

namespace fleetward::api {
namespace {

using namespace iot;
using model::ThingName;
using registry::Registry;

Result<CreateThingResponse> Create(Registry& registry, const CallContext& context, const CreateThingRequest& request) {
  registry::NewThing thing{ThingName(request.thing_name), TextOf(request.thing_type_name),
                           TextOf(request.billing_group_name), AttributesOf(request.attribute_payload)};
  FW_ASSIGN(registry::Thing created, registry.things.Create(ActorOf(context), thing));
  return CreateThingResponse{created.name.value(), context.arns.Thing(created.name.value()), created.id.Uuid()};
}

Result<DescribeThingResponse> Describe(Registry& registry, const CallContext& context,
                                       const DescribeThingRequest& request) {
  FW_ASSIGN(registry::Thing thing, registry.things.Describe(ThingName(request.thing_name)));
  DescribeThingResponse response;
  response.default_client_id = thing.name.value();
  response.thing_name = thing.name.value();
  response.thing_id = thing.id.Uuid();
  response.thing_arn = context.arns.Thing(thing.name.value());
  response.thing_type_name = UnlessEmpty(std::move(thing.type));
  response.attributes = std::move(thing.attributes);
  response.version = thing.version;
  response.billing_group_name = UnlessEmpty(std::move(thing.billing_group));
  return response;
}

Result<ListThingsResponse> List(Registry& registry, const CallContext& context, const ListThingsRequest& request) {
  registry::ThingFilter filter{TextOf(request.thing_type_name), TextOf(request.attribute_name),
                               TextOf(request.attribute_value), request.use_prefix_attribute_value.value_or(false)};
  // A position lies in the index of its filters.
  std::string binding = filter.type + '\0' + filter.attribute_name + '\0' + filter.attribute_value + '\0' +
                        (filter.attribute_value_is_prefix ? "1" : "0");
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, binding));
  FW_ASSIGN(auto things, registry.things.List(filter, page));
  ListThingsResponse response;
  response.things.emplace();
  for (registry::Thing& thing : things.items) {
    response.things->push_back({thing.name.value(), UnlessEmpty(std::move(thing.type)),
                                context.arns.Thing(thing.name.value()), std::move(thing.attributes), thing.version});
  }
  response.next_token = NextToken(context, things.next, binding);
  return response;
}

Result<UpdateThingResponse> Update(Registry& registry, const CallContext& context, const UpdateThingRequest& request) {
  registry::ThingUpdate update;
  if (request.attribute_payload && request.attribute_payload->attributes) {
    update.attributes = *request.attribute_payload->attributes;
    update.merge = request.attribute_payload->merge.value_or(false);
  }
  update.type = request.thing_type_name;
  update.remove_type = request.remove_thing_type.value_or(false);
  update.expected_version = request.expected_version;
  FW_TRY(registry.things.Update(ActorOf(context), ThingName(request.thing_name), update));
  return UpdateThingResponse{};
}

Result<DeleteThingResponse> Delete(Registry& registry, const CallContext& context, const DeleteThingRequest& request) {
  FW_TRY(registry.things.Delete(ActorOf(context), ThingName(request.thing_name), request.expected_version));
  return DeleteThingResponse{};
}

Result<AttachThingPrincipalResponse> Attach(Registry& registry, const CallContext& context,
                                            const AttachThingPrincipalRequest& request) {
  FW_TRY(registry.things.AttachPrincipal(ActorOf(context), ThingName(request.thing_name), request.principal));
  return AttachThingPrincipalResponse{};
}

Result<DetachThingPrincipalResponse> Detach(Registry& registry, const CallContext& context,
                                            const DetachThingPrincipalRequest& request) {
  FW_TRY(registry.things.DetachPrincipal(ActorOf(context), ThingName(request.thing_name), request.principal));
  return DetachThingPrincipalResponse{};
}

Result<ListThingPrincipalsResponse> ListPrincipals(Registry& registry, const CallContext& context,
                                                   const ListThingPrincipalsRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, request.thing_name));
  FW_ASSIGN(auto principals, registry.things.ListPrincipals(ThingName(request.thing_name), page));
  return ListThingPrincipalsResponse{std::move(principals.items),
                                     NextToken(context, principals.next, request.thing_name)};
}

Result<ListPrincipalThingsResponse> ListOfPrincipal(Registry& registry, const CallContext& context,
                                                    const ListPrincipalThingsRequest& request) {
  FW_ASSIGN(auto page, PageOf(context, request.next_token, request.max_results, request.principal));
  FW_ASSIGN(auto things, registry.things.ListPrincipalThings(request.principal, page));
  ListPrincipalThingsResponse response;
  response.things.emplace();
  for (const ThingName& name : things.items) response.things->push_back(name.value());
  response.next_token = NextToken(context, things.next, request.principal);
  return response;
}

Result<RegisterThingResponse> Register(Registry& registry, const CallContext& context,
                                       const RegisterThingRequest& request) {
  FW_ASSIGN(auto registered,
            registry::RegisterThing(registry, ActorOf(context), request.template_body,
                                    request.parameters.value_or(std::map<std::string, std::string>())));
  return RegisterThingResponse{UnlessEmpty(std::move(registered.certificate_pem)),
                               std::move(registered.resource_arns)};
}

}  // namespace

void RegisterThings(Router& router, Registry& registry) {
  router.Handle<CreateThing>([&](auto& context, auto& request) { return Create(registry, context, request); });
  router.Handle<DescribeThing>([&](auto& context, auto& request) { return Describe(registry, context, request); });
  router.Handle<ListThings>([&](auto& context, auto& request) { return List(registry, context, request); });
  router.Handle<UpdateThing>([&](auto& context, auto& request) { return Update(registry, context, request); });
  router.Handle<DeleteThing>([&](auto& context, auto& request) { return Delete(registry, context, request); });
  router.Handle<AttachThingPrincipal>([&](auto& context, auto& request) {
    return Attach(registry, context, request);
  });
  router.Handle<DetachThingPrincipal>([&](auto& context, auto& request) {
    return Detach(registry, context, request);
  });
  router.Handle<ListThingPrincipals>([&](auto& context, auto& request) {
    return ListPrincipals(registry, context, request);
  });
  router.Handle<ListPrincipalThings>([&](auto& context, auto& request) {
    return ListOfPrincipal(registry, context, request);
  });
  router.Handle<RegisterThing>([&](auto& context, auto& request) { return Register(registry, context, request); });
}

}  // namespace fleetward::api
