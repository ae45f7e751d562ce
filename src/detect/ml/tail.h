// How unusual a residual is, by what its predictor's residuals were so far.
#pragma once

#include <array>
#include <cstdint>

namespace fleetward::detect::ml {

/// Histogram of magnitudes in third-octave bins with a fitted power-law tail. Part of the stored format.
///
/// The lowest bin also holds what is smaller, the highest what is larger. The bins follow the series: `base`
/// moves so that the middle of what is not zero stays near bin kMiddle. Counts are halved when they reach the
/// window, so old residuals fade.
struct Tail {
  static constexpr int kBins = 24;
  static constexpr int kMiddle = 5;
  static constexpr float kBinsPerOctave = 3;
  static constexpr int kUnitWeight = 4;  // a fully learned residual

  std::array<std::uint16_t, kBins> counts{};
  std::uint16_t zeros = 0;
  std::int16_t base = 0;  // of bin 0, in bins above 1.0; unset while nothing but zeros came
  std::uint16_t set = 0;  // 0: base is unset; else residuals since the last check of it

  /// `weight` in quarters.
  void Add(float magnitude, int weight);
  /// -ln of the share of residuals at least this large, extrapolated beyond the largest.
  float Surprise(float magnitude) const;
  /// Magnitude exceeded by about this share.
  float Quantile(float share) const;
  /// Usual magnitude of what is not zero; 0 when all was.
  float Usual() const;
  /// All magnitudes so far were measured in units `factor` times the new ones.
  void Rescale(float factor);

 private:
  int Total() const;
  void Shift(int bins);
  void Recentre();
};
static_assert(sizeof(Tail) == 54);

}  // namespace fleetward::detect::ml
