// A synthetic fleet: its things, its ten behaviors, and its reports as devices send them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleetward/detect/config.h"
#include "fleetward/model/names.h"
#include "fleetward/report/encode.h"

namespace fleetward::bench {

class Fleet {
 public:
  explicit Fleet(std::uint64_t seed) : state_(seed * 2 + 1) {}

  static model::EntityId EntityOf(std::uint64_t thing);
  static std::string NameOf(std::uint64_t thing);

  /// Ten behaviors: static ones on windows, counts, port and address sets, custom numbers and the broker's counts; the
  /// last `statistical` + `ml` of them of these kinds instead. The metrics of the first `exported` are exported.
  static detect::ProfileConfig Profile(int statistical, int ml, int exported = 0);

  /// A report of 15 metrics in JSON with long names: four counters, ports, connections (one in ten is new since the last
  /// time), and four custom numbers. Every 10,000th thing breaks limits.
  const std::string& Payload(std::uint64_t thing, std::uint64_t round);
  /// The same before it is encoded.
  const report::MetricReport& Report(std::uint64_t thing, std::uint64_t round);

  std::uint64_t Random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }

 private:
  std::uint64_t state_;
  report::MetricReport report_;
  std::string payload_;
};

inline constexpr const char* kCustomNumbers[] = {"cpu", "memory", "temperature", "battery"};

}  // namespace fleetward::bench
