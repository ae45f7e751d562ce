// Where time comes from. Services take a Clock, so tests turn it by hand; engines take no clock at all.
#pragma once

#include <atomic>
#include <cstdint>

#include "fleetward/base/time.h"

namespace fleetward {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock.
  virtual Timestamp Now() const = 0;
  /// Monotonic milliseconds, for timeouts and rates.
  virtual std::int64_t MonotonicMillis() const = 0;
};

/// libc's clocks (D45: all clocks come from libc, so that a test can shift them).
class SystemClock : public Clock {
 public:
  Timestamp Now() const override;
  std::int64_t MonotonicMillis() const override;
};

/// A clock that stands still until told.
class ManualClock : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_(ToMillis(start)) {}
  Timestamp Now() const override { return FromMillis(now_.load()); }
  std::int64_t MonotonicMillis() const override { return now_.load(); }
  void Advance(Millis by) { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_;
};

}  // namespace fleetward
