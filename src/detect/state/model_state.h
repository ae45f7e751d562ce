// What one ML behavior keeps of one thing; part of the stored format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fleetward/detect/ml.h"

namespace fleetward::detect {

/// What is told of an ml::Verdict (ml::Explain).
struct ModelVerdict {
  float score = 0;
  std::uint8_t reason = 0;
  std::array<std::uint8_t, 3> reserved{};
  double low = 0, high = 0;

  static ModelVerdict Of(const ml::Verdict& v) {
    return {v.score, static_cast<std::uint8_t>(v.reason), {}, v.expected_low, v.expected_high};
  }
  ml::Verdict Get() const {
    ml::Verdict v;
    v.score = score;
    v.reason = static_cast<ml::Reason>(reason);
    v.expected_low = low;
    v.expected_high = high;
    return v;
  }
};

/// An alarm that a user may yet call a false one.
struct RaisedAlarm {
  std::int64_t first_ms = 0;  // its first violating datapoint, part of its id; 0: none
  ml::Demand demand;
};

struct ModelState {
  static constexpr std::uint32_t kHasValue = 1;
  static constexpr std::size_t kRaised = 4;

  ml::Series series;
  ModelVerdict last;                        // of the last value
  std::array<RaisedAlarm, kRaised> raised;  // the latest first
  std::uint32_t seen_s = 0;                 // when the last value came
  std::uint32_t flags = 0;
};
static_assert(sizeof(ModelState) == ml::kSeriesBytes + 96);

}  // namespace fleetward::detect
