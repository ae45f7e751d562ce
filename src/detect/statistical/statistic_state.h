// What one statistical behavior keeps of one thing; part of the stored format.
#pragma once

#include <cstdint>
#include <optional>

#include "statistical/threshold.h"

namespace fleetward::detect {

struct StatisticState {
  static constexpr std::uint32_t kHasValue = 1;
  static constexpr std::uint32_t kNegative = 2;   // the value is negative: no key
  static constexpr std::uint32_t kGiven = 4;      // `given` is in the summary that holds now
  static constexpr std::uint32_t kAlarmed = 8;    // and the thing was in alarm
  static constexpr std::uint32_t kBound = 16;     // `bound` holds: a violation is on

  ValueKey value = 0;           // of the last window that closed, or the last count
  ValueKey given = 0;
  ValueKey bound = 0;           // of what it gives
  std::uint32_t closed_s = 0;   // when
  std::uint32_t flags = 0;

  std::optional<OwnValue> Own() const {
    if (!(flags & kGiven)) return std::nullopt;
    return OwnValue{given, (flags & kAlarmed) != 0};
  }
};
static_assert(sizeof(StatisticState) == 32);

}  // namespace fleetward::detect
