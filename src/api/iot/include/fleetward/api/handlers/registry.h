// Handlers of the registry's operations: things, groups, certificates, policies, endpoints.
#pragma once

#include "fleetward/api/core/router.h"
#include "fleetward/registry/endpoints.h"
#include "fleetward/registry/registry.h"

namespace fleetward::api {

/// The registry outlives the router.
void RegisterRegistryHandlers(Router& router, registry::Registry& registry,
                              registry::EndpointAddresses endpoints);

}  // namespace fleetward::api
