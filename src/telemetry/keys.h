// Keys of telemetry rows. Big-endian, time first, so that rows of a time lie together and expire together
// (docs/storage-telemetry.md §2).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/base/time.h"
#include "fleetward/store/event_log.h"

namespace fleetward::telemetry {

inline constexpr std::int64_t kHourMillis = 3'600'000;
inline constexpr std::uint32_t kHoursPerDay = 24;

inline std::uint32_t HourOf(Timestamp t) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ToMillis(t) / kHourMillis, 0, UINT32_MAX - kHoursPerDay));
}
inline std::uint32_t DayOf(Timestamp t) { return HourOf(t) / kHoursPerDay; }

inline void PutBigEndian(std::string& out, std::uint64_t v, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(v >> shift));
}
inline std::uint64_t GetBigEndian(std::string_view in) {
  std::uint64_t v = 0;
  for (char c : in) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

/// Which open block of a thing: source, and apart from the rest what came late or from a spool.
using Lane = std::uint8_t;
inline constexpr Lane kLaneCount = 4;   // source + 2 if late

inline std::string TimeKey(std::uint32_t hour_or_day) {
  std::string key;
  PutBigEndian(key, hour_or_day, 4);
  return key;
}
/// Prefix of a thing's rows in one hour or day.
inline std::string ThingKey(std::uint32_t hour_or_day, const Id128& entity) {
  std::string key = TimeKey(hour_or_day);
  PutBigEndian(key, entity.high, 8);
  PutBigEndian(key, entity.low, 8);
  return key;
}
inline std::string HourKey(std::uint32_t hour, const Id128& entity, Lane lane, store::LogPosition first) {
  std::string key = ThingKey(hour, entity);
  key.push_back(static_cast<char>(lane));
  PutBigEndian(key, first, 8);
  return key;
}
inline std::string DayKey(std::uint32_t day, const Id128& entity, std::uint8_t source, std::uint16_t part) {
  std::string key = ThingKey(day, entity);
  key.push_back(static_cast<char>(source));
  PutBigEndian(key, part, 2);
  return key;
}

struct HourKeyParts {
  std::uint32_t hour;
  Id128 entity;
  Lane lane;
  store::LogPosition first;
};
inline std::optional<HourKeyParts> ParseHourKey(std::string_view key) {
  if (key.size() != 29) return std::nullopt;
  HourKeyParts parts;
  parts.hour = static_cast<std::uint32_t>(GetBigEndian(key.substr(0, 4)));
  parts.entity = {GetBigEndian(key.substr(4, 8)), GetBigEndian(key.substr(12, 8))};
  parts.lane = static_cast<Lane>(key[20]);
  parts.first = GetBigEndian(key.substr(21, 8));
  if (parts.lane >= kLaneCount) return std::nullopt;
  return parts;
}

}  // namespace fleetward::telemetry
