// Handlers of the fleet index and of dynamic thing groups.
#pragma once

#include "fleetward/api/core/router.h"
#include "fleetward/registry/fleet_index.h"
#include "fleetward/registry/registry.h"

namespace fleetward::api {

/// Both outlive the router.
void RegisterFleetIndexHandlers(Router& router, registry::Registry& registry, registry::FleetIndex& fleet);

}  // namespace fleetward::api
