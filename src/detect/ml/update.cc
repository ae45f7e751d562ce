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
constexpr std::uint8_t kMaxClipped = 6;  // values off the scale of the history, before it is chosen anew
constexpr float kWeek = 604800;

bool IsRefitDue(const Model& model) {
  std::uint32_t n = model.values;
  return n == 8 || n == 16 || n == 48 || n == 144 || n == 288 || n == 864 || n == 2016 || n == 4032 ||
         (model.clipped >= kMaxClipped && n % 48 == 0);
}

constexpr std::uint32_t kFadeEvery = 288;  // values for a quarter of a nat of feedback

std::uint32_t Seconds(std::int64_t time_s) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time_s, 0, UINT32_MAX));
}

// Expected alarms are counted higher while little is known: confidence must be honest on the first day, too.
float Doubt(const Model& model) {
  constexpr float kDay = 288;
  float days = static_cast<float>(std::max(model.values, kLeastValues)) / kDay;
  return 1 + 1 / (days * days);
}

struct Evidence {
  std::array<float, kPredictors> residuals{};
  std::array<float, kPredictors> surprises{};
  std::array<float, kCauses> parts{};
  Predictor strongest = kByJump;
  float shift = 0;      // the average, this value with it
  float statistic = 0;  // sum of the parts

  // The distance to a pattern has no sign of its own.
  bool Above(std::size_t predictor) const {
    return residuals[predictor == kByPattern ? std::size_t{kByLevel} : predictor] > 0;
  }
};

// Small surprises are noise, of several predictors at once: they count for less than their sum.
float Curved(float surprise) {
  return surprise > 0 ? surprise * surprise / (surprise + kParameters.curve) : 0;
}

Evidence Judge(const Model& model, std::int64_t time_s, float y) {
  Evidence e;
  float season = model.SeasonAt(time_s);
  e.residuals[kByJump] = model.recent_count > 0 ? y - model.recent[0] : 0;
  e.residuals[kByLevel] = y - season;
  e.residuals[kBySeason] = y - season - model.offset;
  e.residuals[kByPattern] = model.PatternDistance(y);
  e.residuals[kByShift] = e.shift = model.shift + kParameters.shift_rate * (y - season - model.shift);
  // Differences far below the usual jump say nothing: on nearly constant series they would be noise of our
  // own averages.
  float grain = model.tails[kByJump].Usual();
  float least = grain > 0 ? kParameters.grain * grain : 1e-3f;
  for (std::size_t i : {kByLevel, kBySeason, kByPattern, kByShift}) {
    if (std::fabs(e.residuals[i]) < least) e.residuals[i] = 0;
  }
  for (std::size_t i = 0; i < kPredictors; ++i) {
    float size = std::fabs(e.residuals[i]);
    // A jump back to what is usual is the end of something, not the start.
    if (i == kByJump) size = std::min(size, kParameters.jump_back * std::fabs(y - season));
    e.surprises[i] = Curved(model.tails[i].Surprise(size));
    if (i < kCauses && e.surprises[i] > e.surprises[e.strongest]) e.strongest = static_cast<Predictor>(i);
  }
  for (std::size_t i = 0; i < kCauses; ++i) {
    e.parts[i] = (kParameters.weight[i] + (i == e.strongest ? kParameters.strongest : 0)) * e.surprises[i];
  }
  e.parts[kByLevel] += kParameters.weight[kByShift] * e.surprises[kByShift];
  for (std::size_t i = 0; i < kCauses; ++i) {
    // What users called false before is taken off, per cause.
    float raised = static_cast<float>(model.raised[CauseOf(i, e.Above(i))]) / kRaisedUnit;
    e.parts[i] = std::max(0.f, e.parts[i] - raised);
    e.statistic += e.parts[i];
  }
  return e;
}

void Learn(Model& model, std::int64_t time_s, float y, std::int64_t step_s, const Evidence& evidence,
           bool held) {
  if (!held || model.alarm_run <= kParameters.hold_tails) {
    if (model.recent_count > 0)
      model.tails[kByJump].Add(std::fabs(evidence.residuals[kByJump]), Tail::kUnitWeight);
    if (model.values > 4) {
      model.tails[kByLevel].Add(std::fabs(evidence.residuals[kByLevel]), Tail::kUnitWeight);
      model.tails[kBySeason].Add(std::fabs(evidence.residuals[kBySeason]), Tail::kUnitWeight);
      model.tails[kByShift].Add(std::fabs(evidence.residuals[kByShift]), Tail::kUnitWeight);
    }
    if (model.values > 12) model.tails[kByPattern].Add(evidence.residuals[kByPattern], Tail::kUnitWeight);
  }
  if (!held) {
    float season = model.SeasonAt(time_s);
    model.offset += kParameters.offset_rate * (y - season - model.offset);
    float rate = std::max(kParameters.level_rate, 1 / (static_cast<float>(model.values) + 1));
    model.level += rate * (y - model.level);
    model.LearnSeason(time_s, y);
    model.LearnWeekly(time_s, y, step_s);
    model.learned_s = Seconds(time_s);
  }
  std::int8_t code = model.Coarse(y);
  if (std::abs(code) == 127 && model.clipped < 255) ++model.clipped;
  model.ring[model.ring_at] = held ? Model::kNoValue : code;
  model.ring_at = static_cast<std::uint16_t>((model.ring_at + 1) % Model::kHistory);
}

constexpr float kBandShare = 0.005f;

// The predictor that is usually the nearest gives the expected value, its usual error the band. After values of an alarm the
// last one is no measure of what is expected.
void Describe(const Model& model, const Evidence& evidence, float y, Verdict& verdict) {
  float jump = model.tails[kByJump].Quantile(kBandShare),
        season = model.tails[kBySeason].Quantile(kBandShare);
  bool after_alarm = model.alarm_run > 0 && (model.flags & Model::kAccepting) == 0;
  bool by_season = model.recent_count == 0 || season < jump || after_alarm;
  float expected = y - evidence.residuals[by_season ? kBySeason : kByJump];
  float width = by_season ? season : jump;
  verdict.expected = model.ValueOf(expected);
  verdict.expected_low = model.ValueOf(expected - width);
  verdict.expected_high = model.ValueOf(expected + width);
  verdict.above = evidence.Above(evidence.strongest);
  verdict.evidence = evidence.parts;
  for (std::size_t i = 0; i < kCauses; ++i) verdict.evidence_above[i] = evidence.Above(i);
  if (model.values < kLeastValues) return;
  verdict.reason = Reason::kNone;
  if (evidence.surprises[evidence.strongest] <= 0) return;
  verdict.reason =
      static_cast<Reason>(static_cast<int>(Reason::kJump) + static_cast<int>(evidence.strongest));
}

constexpr float kBinsPerOctave = 2, kSmallestOctave = -10;

std::uint8_t DeviationBin(float residual) {
  float size = std::fabs(residual);
  if (!(size > 0)) return 0;
  return static_cast<std::uint8_t>(
      std::clamp((std::log2(size) - kSmallestOctave) * kBinsPerOctave, 0.f, CohortWindow::kBins - 1.f));
}

// -ln of the share of the cohort's deviations that were at least as large.
float PeerSurprise(const CohortState& peers, float residual) {
  auto bin = DeviationBin(residual);
  float all = 0, beyond = 0;
  for (int i = 0; i < CohortWindow::kBins; ++i) {
    float count = peers.deviations[static_cast<std::size_t>(i)];
    all += count;
    if (i > bin) beyond += count;
    if (i == bin) beyond += count / 2;
  }
  return -std::log((beyond + 0.5f) / (all + 1));
}

// The share of the other members that were far off to the same side in the last two hours.
float ShareOfPeers(const Model& model, const CohortState& peers, bool above) {
  float others =
      std::max(0.f, (above ? peers.above : peers.below) - model.own[above ? 0 : 1] / Model::kOwnUnit);
  return (others + 0.5f) / (peers.members + 1);
}

// What is common among the members of the cohort counts for less, by the size of the deviation and by what
// the others do just now.
void WeighPeers(const Model& model, const CohortState& peers, Evidence& evidence) {
  constexpr float kLeastMembers = 4;
  if (peers.members <= kLeastMembers) return;
  float deviation = evidence.residuals[kByLevel];
  float theirs = kParameters.peer_scale * PeerSurprise(peers, deviation);
  evidence.statistic += kParameters.peer_weight * (theirs - evidence.statistic);
  float alone = -std::log(ShareOfPeers(model, peers, deviation > 0)) / kParameters.peer_common;
  evidence.statistic *= std::clamp(alone, 0.f, 1.f);
}

void NoteForPeers(Model& model, std::int64_t time_s, const Evidence& evidence) {
  float deviation = evidence.residuals[kByLevel];
  bool far = evidence.surprises[kByLevel] >= kParameters.peer_far;
  model.deviation_bin = DeviationBin(deviation);
  model.far = static_cast<std::int8_t>(!far ? 0 : deviation > 0 ? 1 : -1);
  float kept = PeersKept(time_s - model.last_s);
  for (std::size_t side : {0, 1}) {
    float sum = model.own[side] * kept + (model.far == (side == 0 ? 1 : -1) ? Model::kOwnUnit : 0);
    model.own[side] = static_cast<std::uint16_t>(std::min(sum, 65535.f));
  }
}

// Whether this value must not be learned: an alarm is on, and not yet for so long that it must be the new
// normal. Single quiet values do not start the count anew, or a series that alarms on and off would never
// learn why. While the thing is accused only the first few values count, for their size.
bool Hold(Model& model, Alarm alarm) {
  if (alarm == Alarm::kAccused) {
    if (model.alarm_run <= kParameters.hold_tails) ++model.alarm_run;
    return true;
  }
  if (alarm == Alarm::kUnusual) {
    if (model.alarm_run < UINT16_MAX) ++model.alarm_run;
    if (model.alarm_run > kParameters.accept_after) model.flags |= Model::kAccepting;
  } else if (model.alarm_run > 0) {
    --model.alarm_run;
  }
  if (model.alarm_run == 0) model.flags &= static_cast<std::uint8_t>(~Model::kAccepting);
  return alarm == Alarm::kUnusual && (model.flags & Model::kAccepting) == 0;
}

}  // namespace

Verdict Update(Series& series, std::int64_t time_s, double value, std::int64_t step_s, Alarm alarm,
               const CohortState* peers) {
  Verdict verdict;
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

  if (peers != nullptr) WeighPeers(model, *peers, evidence);
  NoteForPeers(model, time_s, evidence);
  model.shift = evidence.shift;
  model.smoothed += kParameters.smooth_rate * (evidence.statistic - model.smoothed);
  bool late = time_s < model.last_s;
  if (!late) model.last_s = Seconds(time_s);
  float statistic = (kParameters.fresh * evidence.statistic + model.smoothed) / (1 + kParameters.fresh);
  float unusual = model.WithoutHabit(time_s, statistic);
  float blocks = kWeek / static_cast<float>(step_s) / static_cast<float>(kParameters.block);
  float score = ScoreOfRate(model.calibration.Share(unusual) * blocks * Doubt(model));
  if (model.values < kLeastValues) score = 0;
  verdict.score = score;

  Describe(model, evidence, y, verdict);
  if (alarm == Alarm::kNone && score >= kParameters.hold_score) alarm = Alarm::kUnusual;
  bool held = Hold(model, alarm) || late;
  if (!late) model.EndBucket(time_s, step_s);
  Learn(model, time_s, y, step_s, evidence, held);
  bool accused = alarm == Alarm::kAccused;
  if (model.values >= kLeastValues && !accused) {
    if (!held || (!late && model.alarm_run <= kParameters.hold_tails)) model.LearnHabit(statistic);
    model.block_max = std::max(model.block_max, unusual);
    if (++model.block_at >= kParameters.block) {
      model.calibration.Add(model.block_max, Calibration::kUnitWeight);
      model.block_max = 0;
      model.block_at = 0;
    }
  }
  for (std::size_t i = Model::kRecent - 1; i > 0; --i) model.recent[i] = model.recent[i - 1];
  model.recent[0] = y;
  model.recent_count = static_cast<std::uint8_t>(std::min(model.recent_count + 1, Model::kRecent));
  // What a first judgement waits for are values that were learned: a device that is in alarm from the start has none.
  bool counted = !accused && (!held || model.values >= kLeastValues);
  if (counted && model.values == 0) model.first_s = Seconds(time_s);
  if (counted && model.values < UINT32_MAX) ++model.values;
  if (counted && model.values % kFadeEvery == 0) {
    for (auto& quarters : model.raised) quarters -= quarters > 0;
  }
  if (counted && IsRefitDue(model)) model.Refit();

  std::memcpy(series.bytes.data(), &model, sizeof model);
  return verdict;
}

}  // namespace fleetward::detect::ml
