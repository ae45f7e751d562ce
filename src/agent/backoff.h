// Waits that double, with jitter, so that a fleet does not come back as one (architecture: bursts after an outage).
#pragma once

#include <algorithm>
#include <cstdint>

namespace fleetward::agent {

class Backoff {
 public:
  Backoff(std::int64_t first_ms, std::int64_t max_ms) : first_ms_(first_ms), max_ms_(max_ms), base_ms_(first_ms) {}

  /// The next wait: between half the base and the base, chosen by `random`; then the base doubles up to the bound.
  std::int64_t Next(std::uint64_t random) {
    std::int64_t base = std::min(base_ms_, max_ms_);
    base_ms_ = std::min(base * 2, max_ms_);
    return base / 2 + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(base - base / 2 + 1));
  }
  void Reset() { base_ms_ = first_ms_; }

 private:
  std::int64_t first_ms_, max_ms_, base_ms_;
};

}  // namespace fleetward::agent
