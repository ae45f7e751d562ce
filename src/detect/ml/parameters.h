// Every constant of the model, one set for all series. How they were chosen: docs/ml-detect.md.
#pragma once

#include <cstdint>

namespace fleetward::detect::ml {

struct Parameters {
  // Predictors
  float level_rate = 0.02f;         // slow level, for what has no season yet
  float offset_rate = 0.05f;        // how fast the season is shifted to the present level
  float season_weight = 60;         // values after which a bucket's average forgets
  int stretch = 4;                  // values compared with earlier stretches

  // Tails
  float tail_share = 0.03f;         // share of residuals that the tail is fitted to
  float tail_prior_bins = 1.1f;     // prior mean excess, in bins
  float tail_prior_weight = 4;
  float tail_least_slope = 1.2f;
  float grain = 0.1f;              // share of the usual jump below which residuals count as zero
  float tail_window = 8000;         // residuals remembered

  // Combination
  float weight[4] = {1, 1, 1, 1};   // jump, level, season, pattern
  float strongest = 0;              // extra weight of the strongest
  float smooth_rate = 0.3f;
  float fresh = 0.3f;               // weight of the present value against the smoothed evidence

  // Calibration
  int block = 12;                   // values per block
  float block_share = 0.1f;         // share of the blocks that the tail is fitted to
  float block_prior_weight = 24;    // blocks
  float block_prior_threshold = 10; // statistic exceeded by block_share of the blocks
  float block_prior_slope = 3;      // mean excess above it
  float block_window = 4000;        // blocks remembered

  // Alarms
  float hold_score = 2;         // at and above: not learned
  int accept_after = 72;            // values in alarm, after which learning goes on all the same
};

inline constexpr Parameters kParameters;

}  // namespace fleetward::detect::ml
