// The fleet index's configuration as it is stored and checked. Private.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleetward/registry/fleet_index.h"

namespace fleetward::registry {

std::string Encode(const ThingIndexing& indexing);
std::string Encode(const ThingGroupIndexing& indexing);
// Error: kCorrupt.
Result<ThingIndexing> DecodeThingIndexing(std::string_view record);
Result<ThingGroupIndexing> DecodeThingGroupIndexing(std::string_view record);

/// Each field must begin with one of `prefixes`. Error: kInvalidArgument.
Status CheckCustomFields(const std::vector<IndexField>& fields, const std::vector<std::string_view>& prefixes,
                         const Quotas& quotas);

}  // namespace fleetward::registry
