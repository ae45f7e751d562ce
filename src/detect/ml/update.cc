// One value: residuals of the predictors, how unusual each is, one statistic, one score; then learning.
#include <algorithm>
#include <cmath>

#include "fleetward/detect/ml.h"
#include "ml/model.h"
#include "ml/parameters.h"

namespace fleetward::detect::ml {
namespace {

constexpr double kLargest = 1e30;
constexpr std::int64_t kGapSteps = 6;
constexpr float kWeek = 604800;

bool IsRefitDue(const Model& model) {
  std::uint32_t n = model.values;
  return n == 8 || n == 16 || n == 48 || n == 144 || n == 288 || n == 864 || n == 2016 || n == 4032 ||
         (model.clipped >= 12 && n % 48 == 0);
}

struct Evidence {
  std::array<float, kPredictors> residuals{};
  std::array<float, kPredictors> surprises{};
  float statistic = 0;
};

Evidence Judge(const Model& model, std::int64_t time_s, float y) {
  Evidence e;
  float season = model.SeasonAt(time_s);
  e.residuals[kByJump] = model.recent_count > 0 ? y - model.recent[0] : 0;
  e.residuals[kByLevel] = y - season;
  e.residuals[kBySeason] = y - season - model.offset;
  e.residuals[kByPattern] = model.PatternDistance(y);
  // Differences far below the usual jump say nothing: on nearly constant series they would be noise of our own averages.
  float grain = model.tails[kByJump].Usual();
  float least = grain > 0 ? kParameters.grain * grain : 1e-3f;
  for (std::size_t i : {kByLevel, kBySeason, kByPattern}) {
    if (std::fabs(e.residuals[i]) < least) e.residuals[i] = 0;
  }
  float strongest = 0;
  for (std::size_t i = 0; i < kPredictors; ++i) {
    e.surprises[i] = model.tails[i].Surprise(std::fabs(e.residuals[i]));
    e.statistic += kParameters.weight[i] * e.surprises[i];
    strongest = std::max(strongest, e.surprises[i]);
  }
  e.statistic += kParameters.strongest * strongest;
  return e;
}

void Learn(Model& model, std::int64_t time_s, float y, const Evidence& evidence, bool held) {
  if (!held) {
    if (model.recent_count > 0) model.tails[kByJump].Add(std::fabs(evidence.residuals[kByJump]), Tail::kUnitWeight);
    if (model.values > 4) {
      model.tails[kByLevel].Add(std::fabs(evidence.residuals[kByLevel]), Tail::kUnitWeight);
      model.tails[kBySeason].Add(std::fabs(evidence.residuals[kBySeason]), Tail::kUnitWeight);
    }
    if (model.values > 12) model.tails[kByPattern].Add(evidence.residuals[kByPattern], Tail::kUnitWeight);
    float season = model.SeasonAt(time_s);
    model.offset += kParameters.offset_rate * (y - season - model.offset);
    float rate = std::max(kParameters.level_rate, 1 / (static_cast<float>(model.values) + 1));
    model.level += rate * (y - model.level);
    model.LearnSeason(time_s, y);
    model.last_s = static_cast<std::uint32_t>(std::clamp<std::int64_t>(time_s, 0, UINT32_MAX));
  }
  std::int16_t code = model.Code(y);
  if (std::abs(code) == 32767 && model.clipped < 255) ++model.clipped;
  model.ring[model.ring_at] = held ? Model::kAbsent : code;
  model.ring_at = static_cast<std::uint16_t>((model.ring_at + 1) % Model::kHistory);
}

constexpr float kBandShare = 0.005f;

// The predictor that is usually the nearest gives the expected value, its usual error the band.
void Describe(const Model& model, const Evidence& evidence, float y, Verdict& verdict) {
  float jump = model.tails[kByJump].Quantile(kBandShare), season = model.tails[kBySeason].Quantile(kBandShare);
  bool by_season = model.recent_count == 0 || season < jump;
  float expected = y - evidence.residuals[by_season ? kBySeason : kByJump];
  float width = by_season ? season : jump;
  verdict.expected = model.ValueOf(expected);
  verdict.expected_low = model.ValueOf(expected - width);
  verdict.expected_high = model.ValueOf(expected + width);
  verdict.above = y >= expected;
  if (model.values < kLeastValues) return;
  auto strongest = std::max_element(evidence.surprises.begin(), evidence.surprises.end());
  verdict.reason = *strongest > 0 ? static_cast<Reason>(static_cast<int>(Reason::kJump) +
                                                        (strongest - evidence.surprises.begin()))
                                  : Reason::kNone;
}

constexpr int kCohortBins = CohortWindow::kBins;

// 0..7: below what was expected, 0 the most; 8..15: above.
std::uint8_t SurpriseBin(const Evidence& evidence) {
  constexpr float kBinWidth = 1;
  int strength = static_cast<int>(std::min(evidence.surprises[kByLevel] / kBinWidth, kCohortBins / 2 - 1.f));
  return static_cast<std::uint8_t>(evidence.residuals[kByLevel] < 0 ? kCohortBins / 2 - 1 - strength
                                                                     : kCohortBins / 2 + strength);
}

}  // namespace

Verdict Update(Series& series, std::int64_t time_s, double value, std::int64_t step_s, bool in_alarm,
               const CohortState* peers) {
  Verdict verdict;
  (void)peers;
  if (!std::isfinite(value)) {
    verdict.reason = Reason::kNone;
    return verdict;
  }
  value = std::clamp(value, -kLargest, kLargest);
  Model model = Read(series);
  if (model.version == 0) model.Start(time_s, value);
  step_s = std::clamp<std::int64_t>(step_s, 1, 86400);
  if (time_s - model.last_s > kGapSteps * step_s) model.recent_count = 0;
  float y = model.Encode(value);
  Evidence evidence = Judge(model, time_s, y);

  model.smoothed += kParameters.smooth_rate * (evidence.statistic - model.smoothed);
  float statistic = (kParameters.fresh * evidence.statistic + model.smoothed) / (1 + kParameters.fresh);
  float blocks = kWeek / static_cast<float>(step_s) / static_cast<float>(kParameters.block);
  float score = ScoreOfRate(model.calibration.Share(statistic) * blocks);
  if (model.values < kLeastValues) score = 0;
  verdict.score = score;

  Describe(model, evidence, y, verdict);
  model.surprise_bin = SurpriseBin(evidence);
  bool alarm = in_alarm || score >= kParameters.hold_score;
  model.alarm_run = alarm ? static_cast<std::uint16_t>(std::min(model.alarm_run + 1, 65535)) : std::uint16_t{0};
  bool held = alarm && model.alarm_run <= kParameters.accept_after;
  Learn(model, time_s, y, evidence, held);
  if (model.values >= kLeastValues) {
    model.block_max = std::max(model.block_max, statistic);
    if (++model.block_at >= kParameters.block) {
      model.calibration.Add(model.block_max, Calibration::kUnitWeight);
      model.block_max = 0;
      model.block_at = 0;
    }
  }
  for (std::size_t i = Model::kRecent - 1; i > 0; --i) model.recent[i] = model.recent[i - 1];
  model.recent[0] = y;
  model.recent_count = static_cast<std::uint8_t>(std::min(model.recent_count + 1, Model::kRecent));
  if (model.values < UINT32_MAX) ++model.values;
  if (IsRefitDue(model)) model.Refit();

  std::memcpy(series.bytes.data(), &model, sizeof model);
  return verdict;
}

}  // namespace fleetward::detect::ml
