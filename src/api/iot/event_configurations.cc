#include "families.h"
#include "fleetward/api/iot/account.h"

namespace fleetward::api {
namespace {

using namespace iot;
using registry::Registry;

/// Every kind is shown, also those never set.
Result<DescribeEventConfigurationsResponse> Describe(Registry& registry) {
  FW_ASSIGN(auto configuration, registry.event_configurations.Describe());
  DescribeEventConfigurationsResponse response;
  response.event_configurations.emplace();
  for (std::size_t i = 0; i < registry::kEventKindNames.size(); ++i) {
    auto type = ParseEventType(registry::kEventKindNames[i]);
    bool enabled = configuration.Enabled(static_cast<registry::EventKind>(i));
    if (type) response.event_configurations->emplace(*type, Configuration{enabled});
  }
  response.creation_date = configuration.created;
  response.last_modified_date = configuration.modified;
  return response;
}

Result<UpdateEventConfigurationsResponse> Update(Registry& registry, const CallContext& context,
                                                 const UpdateEventConfigurationsRequest& request) {
  std::vector<registry::EventSwitch> switches;
  if (request.event_configurations) {
    for (const auto& [type, configuration] : *request.event_configurations) {
      auto kind = registry::ParseEventKind(ToString(type));
      if (kind) switches.push_back({*kind, configuration.enabled.value_or(false)});
    }
  }
  FW_TRY(registry.event_configurations.Update(ActorOf(context), switches));
  return UpdateEventConfigurationsResponse{};
}

}  // namespace

void RegisterEventConfigurations(Router& router, Registry& registry) {
  router.Handle<DescribeEventConfigurations>([&](auto&, auto&) { return Describe(registry); });
  router.Handle<UpdateEventConfigurations>([&](auto& context, auto& request) {
    return Update(registry, context, request);
  });
}

}  // namespace fleetward::api
