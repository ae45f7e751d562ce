// A percentile of a summary, ready for the question "of the others": each thing is compared with what the other things
// of its target did, so its own value is taken out (D7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fleetward/base/encoding.h"
#include "statistical/summary.h"

namespace fleetward::detect {

inline constexpr std::uint64_t kLeastOthers = 10;   // D7: fewer values decide nothing

/// "p99.9" as hundredths of a percent, 0 to 10000; nothing for other texts.
std::optional<std::int32_t> ParsePercentile(std::string_view statistic);

class Threshold {
 public:
  Threshold() = default;
  /// `upper`: for less-than and less-than-equals, where a bucket's greatest value is taken; else its least (D8).
  Threshold(const Summary& summary, std::int32_t percentile, bool upper);

  /// Values of things other than the one that gave `own` (nullopt: it gave none).
  std::uint64_t Others(const std::optional<ValueKey>& own) const { return count_ - (own && count_ > 0 ? 1 : 0); }
  /// The percentile of these; meaningful if there are any.
  ValueKey Of(const std::optional<ValueKey>& own) const {
    if (!own) return all_;
    return *own <= split_ ? above_ : below_;
  }
  std::uint64_t negatives() const { return negatives_; }

  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);

 private:
  std::uint64_t count_ = 0;
  std::uint64_t negatives_ = 0;
  ValueKey all_ = 0;     // percentile of all values
  // Without one value, rank r of the rest is rank r or r + 1 of all: the latter if the value lay at or below it.
  ValueKey below_ = 0;   // rank r
  ValueKey above_ = 0;   // rank r + 1
  ValueKey split_ = 0;   // greatest value of the bucket of rank r
};

}  // namespace fleetward::detect
