// Every constant that was chosen by measurement, one set for all series. How: docs/ml-detect.md.
#pragma once

#include <cstdint>

namespace fleetward::detect::ml {

struct Parameters {
  // Predictors
  float level_rate = 0.02f;    // of the slow level, for what has no season yet
  float offset_rate = 0.05f;   // how fast the season is shifted to the present level
  float season_weight = 60;    // values after which a bucket's average forgets
  float grain = 0.1f;          // share of the usual jump below which residuals count as zero
  float history_range = 1.2f;  // width of the kept history's scale against the usual range of values

  // Tails
  float tail_share = 0.03f;      // share of residuals that the tail is fitted to
  float tail_prior_bins = 1.1f;  // prior mean excess, in bins
  float tail_prior_weight = 4;
  float tail_least_slope = 1.2f;  // bins; no tail is believed to end more sharply
  float tail_window = 8000;       // residuals remembered

  // Combination
  float weight[4] = {1, 0.4f, 1, 1.2f};  // jump, level, season, pattern
  float strongest = 0.5f;                // extra weight of the strongest
  float smooth_rate = 0.22f;
  float fresh = 2;  // weight of the present value against the smoothed evidence

  // Peers
  float peer_weight = 0.4f;  // of what is rare in the cohort, against what is rare in the series
  float peer_scale = 4;      // from one surprise to a statistic that is a sum of several
  float peer_common = 4;     // -ln of the share of peers that are far off too, from which on it is not shared
  float peer_far = 4;        // surprise from which on a value is far off

  // Calibration
  int block = 12;                       // values per block
  float block_share = 0.05f;            // share of the blocks that the tail is fitted to
  float block_prior_weight = 24;        // blocks of a typical series that count as seen
  float block_prior_threshold = 12.5f;  // statistic that block_share of a typical series' blocks exceed
  float block_prior_slope = 3.5f;       // mean excess above it
  float block_slope_weight = 2.4f;
  float block_own = 0.365f;   // of the series' own tail, against the typical one, in the logarithm
  float block_window = 4000;  // blocks remembered

  // Alarms
  float hold_score = 0.85f;  // at and above: not learned
  int hold_tails = 6;        // values of an alarm whose residuals are learned all the same
  int accept_after = 72;     // values in alarm, after which all is learned again
};

inline constexpr Parameters kParameters;

}  // namespace fleetward::detect::ml
