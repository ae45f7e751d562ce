// Consecutive datapoints to alarm and to clear (reference: detect.md §3, §4), for one behavior of one thing.
#pragma once

#include <cstdint>

#include "fleetward/detect/sink.h"

namespace fleetward::detect {

/// What an alarm does at a datapoint.
enum class Transition : std::uint8_t { kNone, kRaise, kUpdate, kClear };

/// Part of the stored format.
struct BehaviorState {
  static constexpr std::uint8_t kInAlarm = 1;
  static constexpr std::uint8_t kInStorm = 2;    // the alarm has no event of its own (D12)
  static constexpr std::uint8_t kHasValue = 4;   // `last` holds something

  std::int64_t first_violation_ms = 0;  // of the present streak or alarm
  std::uint64_t last = 0;               // count, bits of a double, or a ListSummary
  std::uint32_t last_seen_s = 0;        // epoch seconds; 0: never
  Verdict verdict = Verdict::kNoData;
  std::uint8_t flags = 0;
  std::uint8_t violating = 0;
  std::uint8_t conforming = 0;

  bool in_alarm() const { return (flags & kInAlarm) != 0; }

  Transition Violating(std::int64_t time_ms, std::int32_t to_alarm) {
    if (violating == 0 && !in_alarm()) first_violation_ms = time_ms;
    conforming = 0;
    if (violating < 255) ++violating;
    if (in_alarm()) return Transition::kUpdate;
    if (violating < to_alarm) return Transition::kNone;
    flags |= kInAlarm;
    return Transition::kRaise;
  }

  /// `at_once`: an empty list clears whatever the count (detect.md §3).
  Transition Conforming(std::int32_t to_clear, bool at_once) {
    violating = 0;
    if (conforming < 255) ++conforming;
    if (!in_alarm() || (conforming < to_clear && !at_once)) return Transition::kNone;
    flags &= static_cast<std::uint8_t>(~kInAlarm);
    return Transition::kClear;
  }
};
static_assert(sizeof(BehaviorState) == 24);

/// The last list, in 8 bytes: sizes are capped, the example is a port or an IPv4 address.
struct ListSummary {
  std::uint16_t elements = 0;
  std::uint16_t offending = 0;
  std::uint32_t example = 0;
};
static_assert(sizeof(ListSummary) == 8);

}  // namespace fleetward::detect
