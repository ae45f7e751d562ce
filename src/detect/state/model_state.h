// What one ML behavior keeps of one thing; part of the stored format.
#pragma once

#include <cstdint>

#include "fleetward/detect/ml.h"

namespace fleetward::detect {

/// ml::Verdict without padding.
struct ModelVerdict {
  float score = 0;
  std::uint8_t reason = 0;
  std::uint8_t above = 0;
  std::uint16_t reserved = 0;
  double expected = 0, low = 0, high = 0;

  static ModelVerdict Of(const ml::Verdict& v) {
    return {v.score, static_cast<std::uint8_t>(v.reason), v.above, 0, v.expected, v.expected_low, v.expected_high};
  }
  ml::Verdict Get() const {
    return {score, static_cast<ml::Reason>(reason), above != 0, expected, low, high};
  }
};

struct ModelState {
  static constexpr std::uint32_t kHasValue = 1;
  static constexpr std::uint32_t kHasRaised = 2;

  ml::Series series;
  ModelVerdict last;               // of the last value
  ModelVerdict raised;             // of the last value that raised an alarm, for feedback
  std::int64_t raised_first_ms = 0;  // that alarm's first violating datapoint, part of its id
  std::uint32_t seen_s = 0;        // when the last value came
  std::uint32_t flags = 0;
};
static_assert(sizeof(ModelState) == ml::kSeriesBytes + 80);

}  // namespace fleetward::detect
