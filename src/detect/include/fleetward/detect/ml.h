// ML Detect: a streaming anomaly detector for one series of numbers (one metric of one thing).
// docs/ml-detect.md describes the model. Pure: the same calls give the same scores, in any process of the
// same program.
//
// A series starts as a zeroed `Series`. Update judges the next value by what came before it, then learns it.
// A cohort of like series (the things of one kind, one metric) may help: each member's last surprise goes
// into a CohortWindow, whose sums are integers, so that windows merge in any order; a CohortState made of the
// closed ones is what Update is shown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/model/behavior.h"

namespace fleetward::detect::ml {

inline constexpr std::uint8_t kSeriesVersion = 2;
inline constexpr std::size_t kSeriesBytes = 1024;

/// All that is kept of one series: plain bytes, may be copied, compared and stored as they are (little
/// endian). Zeroed: nothing seen yet.
struct alignas(8) Series {
  std::array<std::uint8_t, kSeriesBytes> bytes{};
  bool operator==(const Series&) const = default;
};

/// What made a value unusual: the model's part with the strongest evidence. Stored: never change the numbers.
enum class Reason : std::uint8_t {
  kNone = 0,      // usual
  kLearning = 1,  // too little history to judge
  kJump = 2,      // far from the value just before
  kLevel = 3,     // far from what is usual at this time of day
  kSeason = 4,    // far from the course of the day, shifted to the present level
  kPattern = 5,   // nothing like the last values was seen in the recent past
};
std::string_view ReasonName(Reason reason);  // "jump"

struct Verdict {
  float score = 0;     // 0..1; 1: certainly anomalous
  // What the score was made of, in nats: jump, level, season, pattern. Above: the value was above what each expected.
  std::array<float, 4> evidence{};
  std::array<bool, 4> evidence_above{};
  Reason reason = Reason::kLearning;
  bool above = false;       // the value lies above the expected band, or above its middle
  double expected = 0;      // the model's best guess
  double expected_low = 0;  // band of values that would not be unusual; low <= high
  double expected_high = 0;
};

/// Scores at and above which a behavior of this confidence is violated: 0.95, 0.85, 0.70.
double Limit(model::ConfidenceLevel confidence);
/// The highest confidence whose limit the score reaches.
std::optional<model::ConfidenceLevel> LevelOf(double score);

/// What the members of one cohort did in one bucket of time. Merging is exact and order-free.
struct CohortWindow {
  static constexpr int kBins = 32;
  std::uint32_t members = 0;           // series that had a value
  std::uint32_t above = 0, below = 0;  // of them far above or below what they usually have at this time
  std::array<std::uint32_t, kBins>
      deviations{};                // sizes of the deviations relative to their own level, half octaves
  void Add(const Series& series);  // after its Update of this bucket
  void Merge(const CohortWindow& other);
  bool operator==(const CohortWindow&) const = default;
};

/// What the closed windows said: the last hours, and the usual deviations of the last weeks. Follows from the
/// sequence of windows alone. Zeroed: nothing yet.
struct CohortState {
  std::int64_t end_s = 0;                   // of the last closed window
  float members = 0, above = 0, below = 0;  // of the last two hours, decayed
  std::array<float, CohortWindow::kBins> deviations{};
  void Close(const CohortWindow& window, std::int64_t closed_s);
};

/// What alarms the thing is in.
enum class Alarm : std::uint8_t {
  kNone,
  kUnusual,   // compared with before or with others it is not as usual, which may be the new normal
  kAccused,   // a rule says that this thing misbehaves
};

/// Judges `value` at `time_s` (seconds since 1970, UTC; before the last one: it is not learned), then learns
/// it. While the thing is in alarm nothing is learned but the size of the first few deviations; after 72
/// values (Parameters::accept_after) that are merely unusual the new normal is accepted, while the thing is
/// accused it is not. Nor does it judge before it has learned. `step_s`: usual seconds between values; a gap
/// is anything longer than two of them. `peers`: the cohort as of its last closed window (this series
/// included), or null. NaN and infinite values score 0 and are not learned. Below 5 us; no allocation.
Verdict Update(Series& series, std::int64_t time_s, double value, std::int64_t step_s, Alarm alarm,
               const CohortState* peers = nullptr);

/// How much more evidence the model has to demand, of each predictor in the direction it saw, so that what one
/// verdict judged is not raised again; in quarters of a nat. Stored; all zero: nothing.
struct Demand {
  std::array<std::uint8_t, 4> quarters{};
  std::uint8_t above = 0;  // a bit for each predictor
  std::array<std::uint8_t, 3> reserved{};
};
/// `verdict`: the series' last. A user may say later, after others, that its alarm was a false one.
Demand DemandOf(const Series& series, const Verdict& verdict);
/// A user confirmed that the alarm of the demand's verdict was a false one: what is as unusual for the same reason
/// and in the same direction stays below the limits; what is far more unusual does not. Fades, within weeks
/// at 288 values a day. Of several alarms of one cause the strongest counts; said again, what has faded is renewed.
void ConfirmFalsePositive(Series& series, const Demand& demand);

/// One sentence for a violation's reason, e.g. "4120 is above the expected 850..1310 (far from the last
/// values; score 0.97)".
std::string Explain(const Verdict& verdict, double value);

/// For GetBehaviorModelTrainingSummaries. A streaming model is never finished: it is built once a series may
/// be judged.
enum class ModelStatus : std::uint8_t { kPendingBuild = 0, kActive = 1, kExpired = 2 };
struct Summary {
  ModelStatus status = ModelStatus::kPendingBuild;
  double collected_percent = 0;             // 0..100 of the values wanted before judging at full confidence
  std::optional<std::int64_t> started_s;    // first value learned
  std::optional<std::int64_t> refreshed_s;  // last value learned
  std::uint32_t values = 0;                 // the first 48 learned, then seen; saturating
};
/// kExpired: nothing learned for 30 days before `now_s`.
Summary Summarize(const Series& series, std::int64_t now_s);

/// Whether an earlier release wrote the bytes, in a form this one does not go on with: the series has to start anew.
bool IsOutdated(const Series& series);
/// kCorrupt when the bytes are not a series of the version this program writes.
Status CheckSeries(const Series& series);

}  // namespace fleetward::detect::ml
