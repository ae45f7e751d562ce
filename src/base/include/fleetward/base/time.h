// Time as values. Event time is milliseconds since the Unix epoch; engines are handed it and never ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fleetward {

using Millis = std::chrono::milliseconds;
using Timestamp = std::chrono::sys_time<Millis>;

constexpr std::int64_t ToMillis(Timestamp t) { return t.time_since_epoch().count(); }
constexpr Timestamp FromMillis(std::int64_t ms) { return Timestamp(Millis(ms)); }
/// Epoch seconds with the fraction, as the API prints times.
constexpr double ToSeconds(Timestamp t) { return static_cast<double>(ToMillis(t)) / 1000.0; }

/// "2026-11-22T12:00:00.123Z".
std::string Iso8601(Timestamp t);

}  // namespace fleetward
