// One registration function per operation family, and what they share.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/api/core/call_context.h"
#include "fleetward/api/core/router.h"
#include "fleetward/api/iot/common.h"
#include "fleetward/registry/endpoints.h"
#include "fleetward/registry/registry.h"

namespace fleetward::api {

void RegisterThings(Router& router, registry::Registry& registry);
void RegisterThingTypes(Router& router, registry::Registry& registry);
void RegisterThingGroups(Router& router, registry::Registry& registry);
void RegisterBillingGroups(Router& router, registry::Registry& registry);
void RegisterCertificates(Router& router, registry::Registry& registry);
void RegisterCaCertificates(Router& router, registry::Registry& registry);
void RegisterPolicies(Router& router, registry::Registry& registry);
void RegisterPolicyAttachments(Router& router, registry::Registry& registry);
void RegisterTags(Router& router, registry::Registry& registry);
void RegisterRoleAliases(Router& router, registry::Registry& registry);
void RegisterLogging(Router& router, registry::Registry& registry);
void RegisterEventConfigurations(Router& router, registry::Registry& registry);
void RegisterEndpoint(Router& router, registry::EndpointAddresses endpoints);

/// Who acts, for the configuration's history.
inline std::string ActorOf(const CallContext& context) {
  return context.principal ? context.principal->access_key_id : "unsigned";
}

inline constexpr std::int32_t kDefaultPage = 25;  // core.md §2

/// The page a call asks for. `binding` ties its token to the filters under which the position makes sense.
Result<registry::PageRequest> PageOf(const CallContext& context, const std::optional<std::string>& token,
                                     const std::optional<std::int32_t>& size, std::string_view binding = {});
/// The token of the next page; nothing on the last.
std::optional<std::string> NextToken(const CallContext& context, const std::string& position,
                                     std::string_view binding = {});

/// Empty text when absent.
inline std::string TextOf(const std::optional<std::string>& text) { return text.value_or(""); }
/// Absent when empty: the service leaves such members out.
inline std::optional<std::string> UnlessEmpty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}
/// The resource that a membership call names by name or by ARN; given both, they must agree. `member` is "thing" of
/// thingName and thingArn. Errors: kInvalidArgument.
Result<std::string> NameOrArn(const CallContext& context, std::string_view kind, std::string_view member,
                              const std::optional<std::string>& name, const std::optional<std::string>& arn);
registry::Attributes AttributesOf(const std::optional<iot::AttributePayload>& payload);
/// Errors: kInvalidArgument (a key given twice).
Result<registry::Attributes> TagsOf(const std::optional<std::vector<iot::Tag>>& tags);

}  // namespace fleetward::api
