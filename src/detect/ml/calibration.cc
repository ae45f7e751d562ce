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
  if (statistic <= from) return std::min(1.f, above(statistic) / all);
  float excess = 0, beyond = 0;
  for (int i = threshold; i < kBins; ++i) {
    float count = counts[static_cast<std::size_t>(i)] / float{kUnitWeight};
    beyond += count;
    excess += count * (static_cast<float>(i - threshold) + 0.5f) * kBinWidth;
  }
  float weight = prior * share;
  float slope = (excess + weight * kParameters.block_prior_slope) / (beyond + weight);
  slope = std::max(slope, 0.5f);
  float fitted = above(from) / all * std::exp(-(statistic - from) / slope);
  return std::clamp(fitted, 1e-12f, 1.f);
}

float ScoreOfRate(float per_week) {
  // 1 - score is a power of the rate between the three agreed points, and on beyond them.
  float rate = std::max(per_week, 1e-12f);
  if (rate >= 2) return 0.7f * std::pow(2 / rate, 0.6f);
  if (rate >= 0.5f) return 1 - 0.30f * std::sqrt(rate / 2);
  if (rate >= 0.1f) return 1 - 0.15f * std::pow(rate / 0.5f, 0.68260619f);
  return 1 - 0.05f * std::pow(rate / 0.1f, 0.25f);
}

}  // namespace fleetward::detect::ml
