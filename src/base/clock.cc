#include "fleetward/base/clock.h"

#include <ctime>

#include <cstdio>

namespace fleetward {
namespace {

std::int64_t ReadMillis(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return std::int64_t{ts.tv_sec} * 1000 + ts.tv_nsec / 1000000;
}

}  // namespace

Timestamp SystemClock::Now() const { return FromMillis(ReadMillis(CLOCK_REALTIME)); }
std::int64_t SystemClock::MonotonicMillis() const { return ReadMillis(CLOCK_MONOTONIC); }

std::string Iso8601(Timestamp t) {
  std::int64_t ms = ToMillis(t);
  std::int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
  auto fraction = static_cast<int>(ms - seconds * 1000);
  time_t raw = seconds;
  tm parts{};
  gmtime_r(&raw, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, fraction);
  return text;
}

}  // namespace fleetward
