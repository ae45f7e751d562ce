// Times as calls carry them.
#pragma once

#include <optional>
#include <string_view>

#include "fleetward/base/time.h"

namespace fleetward::api::codec {

/// "2026-11-22T12:00:00Z", with a fraction, with an offset ("+01:00"), or epoch seconds ("1700000000.5"). Years 1970
/// to 9999; a time without a zone is UTC. Nothing when malformed.
std::optional<Timestamp> ParseTime(std::string_view text);

/// Epoch seconds with a fraction; nothing outside 1970 to 9999 or when not finite.
std::optional<Timestamp> FromEpochSeconds(double seconds);

}  // namespace fleetward::api::codec
