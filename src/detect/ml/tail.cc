#include "ml/tail.h"

#include <algorithm>
#include <cmath>

#include "ml/parameters.h"

namespace fleetward::detect::ml {
namespace {

constexpr float kSmallest = 1e-30f;
constexpr int kCheckEvery = 64;

float Position(float magnitude) { return std::log2(magnitude) * Tail::kBinsPerOctave; }

}  // namespace

void Tail::Shift(int bins) {
  std::array<std::uint16_t, kBins> moved{};
  for (int i = 0; i < kBins; ++i) {
    auto& target = moved[static_cast<std::size_t>(std::clamp(i - bins, 0, kBins - 1))];
    int sum = target + counts[static_cast<std::size_t>(i)];
    target = static_cast<std::uint16_t>(std::min(sum, 65535));
  }
  counts = moved;
  base = static_cast<std::int16_t>(std::clamp(base + bins, -30000, 30000));
}

int Tail::Total() const {
  int total = zeros;
  for (auto c : counts) total += c;
  return total;
}

void Tail::Recentre() {
  int total = Total() - zeros;
  int seen = counts[0], middle = 0;
  while (middle < kBins - 1 && seen * 2 < total) seen += counts[static_cast<std::size_t>(++middle)];
  if (middle > kMiddle + 2) Shift(middle - kMiddle);
  if (middle < kMiddle - 2) Shift(middle == 0 ? -kMiddle : middle - kMiddle);
}

void Tail::Add(float magnitude, int weight) {
  std::uint16_t* count = &zeros;
  if (magnitude > kSmallest) {
    float position = std::floor(Position(magnitude));
    if (set == 0) {
      base = static_cast<std::int16_t>(std::clamp(position - kMiddle, -30000.f, 30000.f));
      set = 1;
    }
    count =
        &counts[static_cast<std::size_t>(std::clamp(position - static_cast<float>(base), 0.f, kBins - 1.f))];
  }
  *count = static_cast<std::uint16_t>(std::min(*count + weight, 65535));
  if (static_cast<float>(Total()) > kParameters.tail_window * kUnitWeight) {
    zeros = static_cast<std::uint16_t>((zeros + 1) / 2);
    for (auto& c : counts) c = static_cast<std::uint16_t>((c + 1) / 2);
  }
  if (set > 0 && ++set > kCheckEvery) {
    set = 1;
    Recentre();
  }
}

float Tail::Surprise(float magnitude) const {
  float total = static_cast<float>(Total()) / kUnitWeight;
  if (!(magnitude > kSmallest)) return 0;
  if (set == 0) return std::log(2 * (total + 1));
  float x = std::max(0.f, Position(magnitude) - static_cast<float>(base));
  float needed = std::max(kParameters.tail_share * total, 8.f);
  float above = 0, excess = 0;
  int threshold = kBins;
  while (threshold > 0 && above < needed) {
    --threshold;
    above += counts[static_cast<std::size_t>(threshold)] / float{kUnitWeight};
  }
  for (int i = threshold; i < kBins; ++i) {
    excess +=
        counts[static_cast<std::size_t>(i)] / float{kUnitWeight} * (static_cast<float>(i - threshold) + 0.5f);
  }
  float slope = (excess + kParameters.tail_prior_weight * kParameters.tail_prior_bins) /
                (above + kParameters.tail_prior_weight);
  slope = std::max(slope, kParameters.tail_least_slope);
  float beyond = 0;  // count above x, linear inside its bin
  if (x < kBins) {
    int bin = static_cast<int>(x);
    for (int i = bin + 1; i < kBins; ++i) beyond += counts[static_cast<std::size_t>(i)];
    beyond += counts[static_cast<std::size_t>(bin)] * (static_cast<float>(bin + 1) - x);
    beyond /= kUnitWeight;
  }
  float p = (beyond + 0.5f) / (total + 1);
  if (x > static_cast<float>(threshold)) {
    float fitted = (above + 0.5f) / (total + 1) * std::exp(-(x - static_cast<float>(threshold)) / slope);
    p = std::max(fitted, beyond / (total + 1));
  }
  return -std::log(std::clamp(p, 1e-30f, 1.f));
}

float Tail::Quantile(float share) const {
  if (set == 0) return 0;
  float total = static_cast<float>(Total());
  float above = 0;
  int bin = kBins;
  while (bin > 0 && above <= total * share) above += counts[static_cast<std::size_t>(--bin)];
  return bin == 0 ? 0 : std::exp2(static_cast<float>(base + bin + 1) / kBinsPerOctave);
}

float Tail::Usual() const {
  if (set == 0) return 0;
  int total = Total() - zeros, seen = 0, bin = 0;
  while (bin < kBins && (seen += counts[static_cast<std::size_t>(bin)]) * 2 < total) ++bin;
  return std::exp2((static_cast<float>(base + bin) + 0.5f) / kBinsPerOctave);
}

void Tail::Rescale(float factor) {
  if (set == 0 || !(factor > 0)) return;
  float moved = std::round(Position(factor));
  base = static_cast<std::int16_t>(std::clamp(static_cast<float>(base) + moved, -30000.f, 30000.f));
}

}  // namespace fleetward::detect::ml
