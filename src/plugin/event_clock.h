// Event time (D1): the monotonic clock plus one offset; a step of the wall clock over a second is noticed and marked.
#pragma once

#include <cstdint>

#include "fleetward/base/clock.h"

namespace fleetward::plugin {

class EventClock {
 public:
  explicit EventClock(const Clock& clock)
      : clock_(clock), offset_ms_(ToMillis(clock.Now()) - clock.MonotonicMillis()) {}

  std::int64_t MonotonicMs() const { return clock_.MonotonicMillis(); }
  std::int64_t NowMs() const { return MonotonicMs() + offset_ms_; }
  /// Event time of a monotonic reading, for callers that need both.
  std::int64_t EventMs(std::int64_t monotonic_ms) const { return monotonic_ms + offset_ms_; }

  /// Once a second: compares with the wall clock. Returns the step in milliseconds when it was over a second, else 0;
  /// smaller differences (slewing) are followed by at most 10 ms a call, so that time never goes back.
  std::int64_t Adjust() {
    std::int64_t difference = ToMillis(clock_.Now()) - NowMs();
    if (difference > kStepMs || difference < -kStepMs) {
      offset_ms_ += difference;
      return difference;
    }
    offset_ms_ += difference > kSlewMs ? kSlewMs : difference < -kSlewMs ? -kSlewMs : difference;
    return 0;
  }

 private:
  static constexpr std::int64_t kStepMs = 1000;
  static constexpr std::int64_t kSlewMs = 10;
  const Clock& clock_;
  std::int64_t offset_ms_;
};

}  // namespace fleetward::plugin
