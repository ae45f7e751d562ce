// The bytes of a Series, and the steps of an update.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fleetward/detect/ml.h"
#include "ml/calibration.h"
#include "ml/tail.h"

namespace fleetward::detect::ml {

/// Below so many values there is no score.
inline constexpr std::uint32_t kLeastValues = 48;

/// Predictors, by what they compare a value with. What lasts (kByShift) is no cause of its own: it counts as kByLevel.
enum Predictor : std::uint8_t { kByJump, kByLevel, kBySeason, kByPattern, kCauses, kByShift = kCauses, kPredictors };

/// Values are kept as y = asinh(value / unit): about linear for what is small against the usual size,
/// logarithmic above. The season is kept in 16-bit steps of `quantum` from `centre`, the history in 8-bit
/// steps of `grain`.
struct Model {
  static constexpr int kHistory = 384;  // 32 hours of 5-minute values
  static constexpr int kBuckets = 48;   // of the day
  static constexpr int kRecent = 3;
  static constexpr int kDays = 7;
  static constexpr std::int16_t kAbsent = INT16_MIN;  // in season
  static constexpr std::int8_t kNoValue = INT8_MIN;   // in ring: was in alarm, or not yet
  static constexpr float kOwnUnit = 256;
  static constexpr float kHabitUnit = 4;
  static constexpr float kDayUnit = 64;
  static constexpr std::uint8_t kAccepting = 1;  // flags: in alarm for so long that values are learned again

  std::uint8_t version;
  std::uint8_t flags;
  std::uint8_t block_at;                     // values in the open block
  std::uint8_t recent_count;                 // values since the last gap, up to kRecent
  std::uint32_t values;                      // the first 48 learned, then seen; saturating
  std::uint32_t first_s, last_s, learned_s;  // times of the first value learned, the last one, the last one learned
  std::uint16_t ring_at;                     // where the next value goes
  std::uint16_t alarm_run;                   // values in alarm, without a break
  float unit, centre, quantum, grain;
  float level, offset;
  float smoothed;  // evidence of the last values
  float block_max;
  float shift;          // off what is usual at this time of day, on average of the last values
  float habit_max;      // highest evidence of the open bucket of the day; -1: none to learn
  float bucket_off;     // off the usual of its time of day, summed up over the open bucket
  float along, length;  // of the open day, for its part in `weekly`: products with `weekly`, and its squares
  float daily_off;      // average distance to what is usual at this time of day
  float weekly_off;     // the same, to what is usual at this time of the week
  float weekly_step;    // of `weekly`; 0: nothing learned yet
  std::array<float, kRecent> recent;   // y, latest first
  std::array<std::uint8_t, 8> raised;  // by CauseOf, what feedback demands on top, in quarters of a nat
  std::uint8_t clipped;                // values that did not fit 16 bits
  std::uint8_t deviation_bin;          // of CohortWindow, for the last value
  std::int8_t far;                     // 1: the last value was far above its level, -1: far below
  std::uint8_t bucket_at;              // open bucket of the day
  std::array<std::uint16_t, 2> own;    // this series' share of CohortState::above and below, times kOwnUnit
  std::uint16_t bucket_count;          // values in the open bucket
  std::uint8_t day_at;                 // open day of the week
  std::array<std::int8_t, kDays> day;  // part of `weekly` that a day has, in steps of 1 / kDayUnit; 0: Thursday
  std::array<Tail, kPredictors> tails;
  Calibration calibration;
  std::array<std::int16_t, kBuckets> season;
  std::array<std::int8_t, kBuckets> weekly;  // how free days are off the season, in steps of `weekly_step`
  std::array<std::uint8_t, kBuckets> habit;  // usual highest evidence, in steps of 1 / kHabitUnit
  std::array<std::int8_t, kHistory> ring;

  double ValueOf(float y) const;
  float Encode(double value) const;
  std::int16_t Code(float y) const;
  float Decode(std::int16_t code) const { return centre + static_cast<float>(code) * quantum; }

  std::int8_t Coarse(float y) const;
  float FromCoarse(std::int8_t code) const { return centre + static_cast<float>(code) * grain; }

  void Start(std::int64_t time_s, double value);
  /// Chooses unit, centre and quantum anew from the history, and converts what is kept.
  void Refit();
  /// What is usual at this time of the day; the level where nothing is known.
  float DailyAt(std::int64_t time_s) const;
  /// The same, and of the week where that is known to help.
  float SeasonAt(std::int64_t time_s) const;
  void LearnSeason(std::int64_t time_s, float y);
  float WeeklyAt(std::int64_t time_s) const;
  bool IsWeekly() const;
  void LearnWeekly(std::int64_t time_s, float y, std::int64_t step_s);
  /// What is left of the evidence when that is taken off which the same time of every day brings.
  float WithoutHabit(std::int64_t time_s, float evidence) const;
  void LearnHabit(float evidence);
  /// Ends the open bucket, and day, when `time_s` lies in another one. `step_s`: usual seconds between values.
  void EndBucket(std::int64_t time_s, std::int64_t step_s);
  void LearnBucketOfWeek(std::int64_t step_s);
  /// Distance of the last values, `y` being the latest, to the nearest earlier stretch.
  float PatternDistance(float y) const;
};
static_assert(sizeof(Model) <= kSeriesBytes && offsetof(Model, version) == 0);

/// Index of Model::raised: which predictor was wrong, and in which direction.
inline std::size_t CauseOf(std::size_t predictor, bool above) { return predictor * 2 + (above ? 1 : 0); }
inline constexpr float kRaisedUnit = 4;

/// Part of a sum of the last hours that is left after so many seconds.
float PeersKept(std::int64_t elapsed_s);

inline Model Read(const Series& series) {
  Model model;
  std::memcpy(&model, series.bytes.data(), sizeof model);
  return model;
}

}  // namespace fleetward::detect::ml
