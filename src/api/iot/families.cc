#include "families.h"

#include "fleetward/api/handlers/registry.h"

namespace fleetward::api {

Result<registry::PageRequest> PageOf(const CallContext& context, const std::optional<std::string>& token,
                                     const std::optional<std::int32_t>& size, std::string_view binding) {
  registry::PageRequest page;
  FW_ASSIGN(page.after, context.ReadPageToken(token, binding));
  page.limit = static_cast<std::size_t>(std::max(1, size.value_or(kDefaultPage)));
  return page;
}

std::optional<std::string> NextToken(const CallContext& context, const std::string& position,
                                     std::string_view binding) {
  if (position.empty()) return std::nullopt;
  return context.MakePageToken(position, binding);
}

Result<std::string> NameOrArn(const CallContext& context, std::string_view kind, std::string_view member,
                              const std::optional<std::string>& name, const std::optional<std::string>& arn) {
  std::optional<std::string> of_arn;
  if (arn) {
    of_arn = context.arns.IdOf(*arn, kind);
    if (!of_arn) {
      return Error(Code::kInvalidArgument, std::string(member) + "Arn is not the ARN of such a resource of this "
                                               "account and region: " + *arn);
    }
  }
  if (name && of_arn && *name != *of_arn) {
    return Error(Code::kInvalidArgument, std::string(member) + "Name and " + std::string(member) +
                                             "Arn name different resources");
  }
  if (!name && !of_arn) {
    return Error(Code::kInvalidArgument, std::string(member) + "Name or " + std::string(member) + "Arn is required");
  }
  return name ? *name : *of_arn;
}

registry::Attributes AttributesOf(const std::optional<iot::AttributePayload>& payload) {
  if (!payload || !payload->attributes) return {};
  return *payload->attributes;
}

Result<registry::Attributes> TagsOf(const std::optional<std::vector<iot::Tag>>& tags) {
  registry::Attributes result;
  if (!tags) return result;
  for (const iot::Tag& tag : *tags) {
    if (!result.emplace(tag.key, TextOf(tag.value)).second) {
      return Error(Code::kInvalidArgument, "The tag key " + tag.key + " is given twice");
    }
  }
  return result;
}

void RegisterRegistryHandlers(Router& router, registry::Registry& registry, registry::EndpointAddresses endpoints) {
  RegisterThings(router, registry);
  RegisterThingTypes(router, registry);
  RegisterThingGroups(router, registry);
  RegisterBillingGroups(router, registry);
  RegisterCertificates(router, registry);
  RegisterCaCertificates(router, registry);
  RegisterPolicies(router, registry);
  RegisterPolicyAttachments(router, registry);
  RegisterTags(router, registry);
  RegisterRoleAliases(router, registry);
  RegisterLogging(router, registry);
  RegisterEventConfigurations(router, registry);
  RegisterEndpoint(router, std::move(endpoints));
}

}  // namespace fleetward::api
