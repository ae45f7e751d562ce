// A percentile of a summary, ready for the question "of the others": each thing is compared with what the other things
// of its target did, so its own value is taken out (D7; docs/decisions/0010-percentiles-with-things-in-alarm.md).
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

/// What one thing gave to a window.
struct OwnValue {
  ValueKey value = 0;
  bool alarmed = false;   // at the window's end
};

/// Two percentiles of the others. Who is not in alarm is compared with all of them. Who is in alarm is compared with
/// those that are not; the others in alarm count as beyond every limit, so that the rank stays what it is in the
/// fleet, and attackers do not clear each other.
class Threshold {
 public:
  Threshold() = default;
  /// `alarmed`: the part of `all` that things in alarm gave. `upper`: for less-than and less-than-equals, where a
  /// bucket's greatest value is taken; else its least (D8).
  Threshold(const Summary& all, const Summary& alarmed, std::int32_t percentile, bool upper);

  /// Values of things other than the one that gave `own` (nullopt: it gave none).
  std::uint64_t Others(const std::optional<OwnValue>& own) const { return count_ - (own && count_ > 0 ? 1 : 0); }
  /// What a thing is compared with. When most are in alarm the fleet itself has changed: nobody is left out.
  ValueKey For(const std::optional<OwnValue>& own, bool in_alarm) const {
    return in_alarm && !MostInAlarm() ? OfCalm(own) : OfAll(own);
  }
  bool MostInAlarm() const { return alarmed_ * 2 > count_; }
  std::uint64_t negatives() const { return negatives_; }

  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);

 private:
  /// The percentile of the others; meaningful if there are any.
  ValueKey OfAll(const std::optional<OwnValue>& own) const {
    if (!own) return all_;
    return own->value <= split_ ? above_ : below_;
  }
  /// Of those not in alarm; meaningful if MostInAlarm() is false and there are at least two others.
  ValueKey OfCalm(const std::optional<OwnValue>& own) const {
    if (!own) return calm_;
    if (own->alarmed) return calm_beside_;
    return own->value <= calm_split_ ? calm_above_ : calm_below_;
  }

  std::uint64_t count_ = 0, alarmed_ = 0;
  std::uint64_t negatives_ = 0;
  ValueKey all_ = 0;     // percentile of all values
  // Without one value, rank r of the rest is rank r or r + 1 of all: the latter if the value lay at or below it.
  ValueKey below_ = 0;   // rank r
  ValueKey above_ = 0;   // rank r + 1
  ValueKey split_ = 0;   // greatest value of the bucket of rank r
  // Likewise among those not in alarm.
  ValueKey calm_ = 0;
  ValueKey calm_beside_ = 0;   // without one in alarm
  ValueKey calm_below_ = 0, calm_above_ = 0, calm_split_ = 0;
};

}  // namespace fleetward::detect
