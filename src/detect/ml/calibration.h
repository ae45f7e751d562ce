// From the model's statistic to a score that means the same on every series.
#pragma once

#include <array>
#include <cstdint>

namespace fleetward::detect::ml {

/// Counts of block maxima of the statistic (a block is Parameters::block values), and the rate of alarms that
/// a level of it stands for: the share of blocks that reach it, with an exponential tail. Part of the stored
/// format.
struct Calibration {
  static constexpr int kBins = 24;
  static constexpr float kBinWidth = 1.5f;
  static constexpr int kUnitWeight = 4;

  std::array<std::uint16_t, kBins> counts{};

  void Add(float maximum, int weight);
  /// Share of the blocks whose maximum is at least `statistic`; falls for ever as it grows.
  float Share(float statistic) const;
};
static_assert(sizeof(Calibration) == 48);

/// Expected alarms in a week that scores of 0.70, 0.85 and 0.95 stand for. What is allowed is 2, 0.5 and 0.1:
/// MEDIUM's is lower because most of its alarms should be right ones, also where attacks are rarer than that.
inline constexpr float kLowRate = 2, kMediumRate = 0.33f, kHighRate = 0.11f;
/// Score of something that happens so often in a week. Never grows with the rate.
float ScoreOfRate(float per_week);

}  // namespace fleetward::detect::ml
