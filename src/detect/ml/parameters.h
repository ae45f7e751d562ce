// Every constant that was chosen by measurement, one set for all series. How: docs/ml-detect.md.
#pragma once

#include <cstdint>

namespace fleetward::detect::ml {

struct Parameters {
  // Predictors
  float level_rate = 0.02f;    // of the slow level, for what has no season yet
  float offset_rate = 0.05f;   // how fast the season is shifted to the present level
  float season_weight = 120;   // values after which a bucket's average forgets
  float grain = 0.04f;         // share of the usual jump below which residuals count as zero
  float history_range = 1.4f;  // width of the kept history's scale against the usual range of values
  float shift_rate = 0.07f;    // of the average distance to the season
  float jump_back = 0.8f;      // a jump counts for no more than so much of the distance to the season

  // Weeks and days
  float weekly_rate = 0.25f;      // of the course of a free day, from the third week on
  float weekly_day_rate = 0.25f;  // of a day's part in it
  float weekly_most = 0.8f;       // weekly_off against daily_off below which the week is used
  float habit_rate = 0.28f;       // of the evidence usual at a time of day
  float habit_floor = 2.8f;       // evidence that is no habit worth taking off
  float habit_take = 0.5f;        // part of what lies above that is taken off
  float habit_cap = 17;           // evidence that counts as so much

  // Tails
  float tail_share = 0.025f;      // share of residuals that the tail is fitted to
  float tail_prior_bins = 0.84f;  // prior mean excess, in bins
  float tail_prior_weight = 3.6f;
  float tail_least_slope = 1.2f;  // bins; no tail is believed to end more sharply
  float tail_window = 4500;       // residuals remembered

  // Combination
  float weight[5] = {1, 0.5f, 1, 1.35f, 0.14f};  // jump, level, season, pattern, shift
  float curve = 1.6f;       // surprise of which half counts; less of smaller ones, more of larger ones
  float strongest = 0.45f;  // extra weight of the strongest
  float smooth_rate = 0.32f;
  float fresh = 1.3f;  // weight of the present value against the smoothed evidence

  // Peers
  float peer_weight = 0.47f;  // of what is rare in the cohort, against what is rare in the series
  float peer_scale = 3.6f;    // from one surprise to a statistic that is a sum of several
  float peer_common = 3.9f;  // -ln of the share of peers that are far off too, from which on it is not shared
  float peer_far = 3.6f;     // surprise from which on a value is far off

  // Calibration
  int block = 12;                      // values per block
  float block_share = 0.05f;           // share of the blocks that the tail is fitted to
  float block_prior_weight = 24;       // blocks of a typical series that count as seen
  float block_prior_threshold = 9.2f;  // statistic that block_share of a typical series' blocks exceed
  float block_prior_slope = 3.4f;      // mean excess above it
  float block_slope_weight = 1;
  float block_own = 0.2f;     // of the series' own tail, against the typical one, in the logarithm
  float block_window = 4500;  // blocks remembered

  // Alarms
  float hold_score = 0.85f;  // at and above: not learned
  int hold_tails = 6;        // values of an alarm whose residuals are learned all the same
  int accept_after = 72;     // values in alarm, after which all is learned again
};

inline constexpr Parameters kParameters;

}  // namespace fleetward::detect::ml
