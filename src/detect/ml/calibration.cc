#include "ml/calibration.h"

#include <algorithm>
#include <cmath>

#include "ml/parameters.h"

namespace fleetward::detect::ml {

void Calibration::Add(float maximum, int weight) {
  auto bin = static_cast<std::size_t>(std::clamp(maximum / kBinWidth, 0.f, kBins - 1.f));
  counts[bin] = static_cast<std::uint16_t>(std::min(counts[bin] + weight, 65535));
  int total = 0;
  for (auto c : counts) total += c;
  if (static_cast<float>(total) > kParameters.block_window * kUnitWeight) {
    for (auto& c : counts) c = static_cast<std::uint16_t>((c + 1) / 2);
  }
}

float Calibration::Share(float statistic) const {
  // The blocks seen and, as if seen too, some of a typical series.
  const float prior = kParameters.block_prior_weight, share = kParameters.block_share;
  float total = 0;
  for (auto c : counts) total += c;
  total /= kUnitWeight;
  auto above = [&](float x) {
    float sum = 0;
    if (x < kBins * kBinWidth) {
      float position = std::max(0.f, x / kBinWidth);
      int bin = static_cast<int>(position);
      for (int i = bin + 1; i < kBins; ++i) sum += counts[static_cast<std::size_t>(i)];
      sum += counts[static_cast<std::size_t>(bin)] * (static_cast<float>(bin + 1) - position);
    }
    float typical = share * std::exp((kParameters.block_prior_threshold - x) / kParameters.block_prior_slope);
    return sum / kUnitWeight + prior * std::min(1.f, typical);
  };
  float all = total + prior;
  float needed = std::max(share * all, 4.f);
  int threshold = kBins;
  while (threshold > 0 && above(static_cast<float>(threshold) * kBinWidth) < needed) --threshold;
  float from = static_cast<float>(threshold) * kBinWidth;
  if (statistic <= from) {
    float typical =
        share * std::exp((kParameters.block_prior_threshold - statistic) / kParameters.block_prior_slope);
    float own = kParameters.block_own;
    return std::pow(std::min(1.f, above(statistic) / all), own) * std::pow(std::min(typical, 1.f), 1 - own);
  }
  float excess = 0, beyond = 0;
  for (int i = threshold; i < kBins; ++i) {
    float count = counts[static_cast<std::size_t>(i)] / float{kUnitWeight};
    beyond += count;
    excess += count * (static_cast<float>(i - threshold) + 0.5f) * kBinWidth;
  }
  float weight = kParameters.block_slope_weight;
  float slope = (excess + weight * kParameters.block_prior_slope) / (beyond + weight);
  slope = std::max(slope, 0.5f);
  float fitted = above(from) / all * std::exp(-(statistic - from) / slope);
  float typical =
      share * std::exp((kParameters.block_prior_threshold - statistic) / kParameters.block_prior_slope);
  float own = kParameters.block_own;
  return std::clamp(std::pow(fitted, own) * std::pow(std::min(typical, 1.f), 1 - own), 1e-18f, 1.f);
}

float ScoreOfRate(float per_week) {
  // Straight lines over the logarithm of the rate between the agreed points, and towards 0 and 1 beyond them.
  struct Point {
    float log_rate, score;
  };
  static const Point kPoints[] = {
      {std::log(kLowRate), 0.70f}, {std::log(kMediumRate), 0.85f}, {std::log(kHighRate), 0.95f}};
  float x = std::log(std::max(per_week, 1e-30f));
  if (x >= kPoints[0].log_rate) return 0.70f * std::exp((kPoints[0].log_rate - x) / 4);
  if (x <= kPoints[2].log_rate) return 1 - 0.05f * std::exp((x - kPoints[2].log_rate) / 8);
  const Point& a = x > kPoints[1].log_rate ? kPoints[0] : kPoints[1];
  const Point& b = *(&a + 1);
  return a.score + (b.score - a.score) * (a.log_rate - x) / (a.log_rate - b.log_rate);
}

}  // namespace fleetward::detect::ml
