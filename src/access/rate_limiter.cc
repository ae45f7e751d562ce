#include "rate_limiter.h"

#include <algorithm>

namespace fleetward::access {

bool RateLimiter::Take(const std::string& key, std::int64_t now_millis) {
  if (per_second_ <= 0) return true;
  double burst = std::max(1.0, per_second_);
  std::lock_guard lock(mutex_);
  auto [entry, fresh] = buckets_.try_emplace(key, Bucket{burst, now_millis});
  Bucket& bucket = entry->second;
  double elapsed = static_cast<double>(std::max<std::int64_t>(0, now_millis - bucket.at)) / 1000.0;
  bucket.tokens = std::min(burst, bucket.tokens + elapsed * per_second_);
  bucket.at = now_millis;
  if (bucket.tokens < 1.0) return false;
  bucket.tokens -= 1.0;
  return true;
}

}  // namespace fleetward::access
