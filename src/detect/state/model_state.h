// What one ML behavior keeps of one thing; part of the stored format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fleetward/detect/ml.h"

namespace fleetward::detect {

/// ml::Verdict without padding.
struct ModelVerdict {
  float score = 0;
  std::uint8_t reason = 0;
  std::uint8_t above = 0;
  std::uint8_t evidence_above = 0;   // a bit each
  std::uint8_t reserved = 0;
  std::array<float, 4> evidence{};
  double expected = 0, low = 0, high = 0;

  static ModelVerdict Of(const ml::Verdict& v) {
    ModelVerdict kept{v.score, static_cast<std::uint8_t>(v.reason), v.above, 0, 0, v.evidence,
                      v.expected, v.expected_low, v.expected_high};
    for (std::size_t i = 0; i < v.evidence_above.size(); ++i) {
      kept.evidence_above = static_cast<std::uint8_t>(kept.evidence_above | (v.evidence_above[i] ? 1U << i : 0U));
    }
    return kept;
  }
  ml::Verdict Get() const {
    ml::Verdict v;
    v.score = score;
    v.evidence = evidence;
    for (std::size_t i = 0; i < v.evidence_above.size(); ++i) v.evidence_above[i] = (evidence_above >> i & 1) != 0;
    v.reason = static_cast<ml::Reason>(reason);
    v.above = above != 0;
    v.expected = expected;
    v.expected_low = low;
    v.expected_high = high;
    return v;
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
static_assert(sizeof(ModelState) == ml::kSeriesBytes + 112);

}  // namespace fleetward::detect
