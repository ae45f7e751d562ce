// A token bucket of one second's worth (threats.md h).
#pragma once

#include <algorithm>
#include <cstdint>

namespace fleetward::plugin {

class RateLimit {
 public:
  /// 0: no limit.
  explicit RateLimit(std::uint64_t per_second) : per_second_(static_cast<std::int64_t>(per_second)) {
    tokens_ = per_second_ * 1000;
  }
  /// True when one more is within the rate at `now_ms` (monotonic).
  bool Take(std::int64_t now_ms) {
    if (per_second_ == 0) return true;
    std::int64_t elapsed = std::clamp<std::int64_t>(now_ms - last_ms_, 0, 1000);
    last_ms_ = now_ms;
    tokens_ = std::min(per_second_ * 1000, tokens_ + elapsed * per_second_);
    if (tokens_ < 1000) return false;
    tokens_ -= 1000;
    return true;
  }

 private:
  std::int64_t per_second_;
  std::int64_t tokens_;  // thousandths
  std::int64_t last_ms_ = 0;
};

}  // namespace fleetward::plugin
