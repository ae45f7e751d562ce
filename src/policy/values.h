// Values of condition operators.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fleetward::policy {

/// A decimal number, nothing around it; finite.
std::optional<double> ParseNumber(std::string_view text);

/// Milliseconds since the epoch of "2026-11-22", "2026-11-22T12:00:00Z" (with or without a fraction, or an offset
/// as +01:00), or epoch seconds.
std::optional<std::int64_t> ParseDate(std::string_view text);

}  // namespace fleetward::policy
