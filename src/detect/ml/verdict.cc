// What is said of a verdict and of a model.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "fleetward/detect/ml.h"
#include "ml/model.h"
#include "ml/parameters.h"

namespace fleetward::detect::ml {
namespace {

constexpr std::uint32_t kWanted = 288;  // values for a summary of 100 %
constexpr std::int64_t kExpiry = 30 * 86400;

const char* Saying(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "usual";
    case Reason::kLearning:
      return "still learning";
    case Reason::kJump:
      return "far from the value before";
    case Reason::kLevel:
      return "far from what is usual at this time of day";
    case Reason::kSeason:
      return "off the usual course of the day";
    case Reason::kPattern:
      return "nothing like the last values was seen lately";
  }
  return "unknown";
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kLearning:
      return "learning";
    case Reason::kJump:
      return "jump";
    case Reason::kLevel:
      return "level";
    case Reason::kSeason:
      return "season";
    case Reason::kPattern:
      return "pattern";
  }
  return "unknown";
}

double Limit(model::ConfidenceLevel confidence) {
  switch (confidence) {
    case model::ConfidenceLevel::kLow:
      return 0.70;
    case model::ConfidenceLevel::kMedium:
      return 0.85;
    case model::ConfidenceLevel::kHigh:
      return 0.95;
  }
  return 0.95;
}

std::optional<model::ConfidenceLevel> LevelOf(double score) {
  for (auto level :
       {model::ConfidenceLevel::kHigh, model::ConfidenceLevel::kMedium, model::ConfidenceLevel::kLow}) {
    if (score >= Limit(level)) return level;
  }
  return std::nullopt;
}

std::string Explain(const Verdict& verdict, double value) {
  char text[256];
  const char* place = value > verdict.expected_high  ? "above"
                      : value < verdict.expected_low ? "below"
                                                     : "within";
  // Some predictor is always the one that found it least usual; that is no cause of anything in a value that is usual.
  bool usual = value <= verdict.expected_high && value >= verdict.expected_low &&
               static_cast<double>(verdict.score) < Limit(model::ConfidenceLevel::kLow);
  Reason reason = usual && verdict.reason != Reason::kLearning ? Reason::kNone : verdict.reason;
  std::snprintf(text, sizeof text, "%.6g is %s the expected %.6g to %.6g: %s (anomaly score %.3f)", value,
                place, verdict.expected_low, verdict.expected_high, Saying(reason),
                static_cast<double>(verdict.score));
  return text;
}

Demand DemandOf(const Series& series, const Verdict& verdict) {
  Model model = Read(series);
  Demand demand;
  float all = 0;
  for (float part : verdict.evidence) all += part;
  if (model.version == 0 || !(all > 0)) return demand;
  // The same again must look like the unusual of any day: well below what one block in twenty reaches. Each
  // predictor is raised by its part of what is too much, on top of what was demanded of it when it judged.
  float excess = std::clamp(all - 0.5f * kParameters.block_prior_threshold, 1.f, 256.f);
  for (std::size_t i = 0; i < kCauses; ++i) {
    float sum = static_cast<float>(model.raised[CauseOf(i, verdict.evidence_above[i])]) +
                std::max(0.f, verdict.evidence[i]) / all * excess * kRaisedUnit;
    demand.quarters[i] = static_cast<std::uint8_t>(std::min(sum, 255.f));
    demand.above = static_cast<std::uint8_t>(demand.above | (verdict.evidence_above[i] ? 1U << i : 0U));
  }
  return demand;
}

void ConfirmFalsePositive(Series& series, const Demand& demand) {
  Model model = Read(series);
  if (model.version == 0) return;
  for (std::size_t i = 0; i < kCauses; ++i) {
    auto& raised = model.raised[CauseOf(i, (demand.above >> i & 1) != 0)];
    raised = std::max(raised, demand.quarters[i]);
  }
  std::memcpy(series.bytes.data(), &model, sizeof model);
}

Summary Summarize(const Series& series, std::int64_t now_s) {
  Model model = Read(series);
  Summary summary;
  if (model.version == 0) return summary;
  summary.values = model.values;
  if (model.values > 0) {
    summary.started_s = model.first_s;
    summary.refreshed_s = model.learned_s;
  }
  summary.collected_percent = 100.0 * std::min(model.values, kWanted) / kWanted;
  if (model.values >= kLeastValues) summary.status = ModelStatus::kActive;
  if (now_s - model.learned_s > kExpiry) summary.status = ModelStatus::kExpired;
  return summary;
}

bool IsOutdated(const Series& series) {
  std::uint8_t version = series.bytes[0];
  return version > 0 && version < kSeriesVersion;
}

Status CheckSeries(const Series& series) {
  Model model = Read(series);
  if (model.version == 0) {
    if (series == Series{}) return {};
    return Error(Code::kCorrupt, "an unused anomaly model that is not empty");
  }
  if (model.version != kSeriesVersion) return Error(Code::kCorrupt, "an anomaly model of an unknown version");
  bool sane = model.ring_at < Model::kHistory && model.recent_count <= Model::kRecent && model.bucket_at < Model::kBuckets && model.day_at < Model::kDays &&
              std::isfinite(model.shift) && std::isfinite(model.habit_max) && std::isfinite(model.bucket_off) && std::isfinite(model.along) && std::isfinite(model.length) &&
              std::isfinite(model.daily_off) && std::isfinite(model.weekly_off) && std::isfinite(model.weekly_step) && model.weekly_step >= 0 &&
              std::isfinite(model.grain) && model.grain > 0 && model.unit > 0 && std::isfinite(model.unit) &&
              model.quantum > 0 && std::isfinite(model.quantum) && std::isfinite(model.centre) &&
              std::isfinite(model.level) && std::isfinite(model.offset) && std::isfinite(model.smoothed) &&
              std::isfinite(model.block_max);
  for (float y : model.recent) sane = sane && std::isfinite(y);
  if (!sane) return Error(Code::kCorrupt, "an anomaly model with impossible figures");
  return {};
}

}  // namespace fleetward::detect::ml
