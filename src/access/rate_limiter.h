// A token bucket per key.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace fleetward::access {

/// Thread-safe. Keys are verified access keys, so their number is bounded by what administrators made.
class RateLimiter {
 public:
  /// `per_second` tokens a second, at most that many saved up; 0 = unlimited.
  explicit RateLimiter(double per_second) : per_second_(per_second) {}
  /// Takes one token; false when there is none. `now_millis` is monotonic.
  bool Take(const std::string& key, std::int64_t now_millis);

 private:
  struct Bucket {
    double tokens = 0;
    std::int64_t at = 0;
  };
  double per_second_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace fleetward::access
