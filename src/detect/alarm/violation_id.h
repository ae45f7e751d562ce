// Ids that follow from what they name (D10), so that replay doubles nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/window_summary.h"

namespace fleetward::detect {

/// First 128 bits of SHA-256 over "fleetward.violation.1", then account, profile and behavior (each length-prefixed),
/// the 16 bytes of the thing, definition version and time of the first violating datapoint (64-bit little-endian).
Id128 MakeViolationId(const Options& options, const model::EntityId& thing, std::string_view profile,
                      std::string_view behavior, std::int64_t definition_version, std::int64_t first_violation_ms);

/// Likewise over "fleetward.storm.1", account, profile, behavior, start.
Id128 MakeStormId(const Options& options, std::string_view profile, std::string_view behavior, std::int64_t started_ms);

/// Of the digest of one window.
Id128 MakeDigestId(const Options& options, const PopulationKey& population, std::int64_t window_end_ms);

}  // namespace fleetward::detect
