#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fleetward/detect/ml.h"
#include "ml/calibration.h"

namespace fleetward::detect::ml {
namespace {

constexpr std::int64_t kStart = 1'700'000'000, kStep = 300;

/// Noise that is the same everywhere.
class Noise {
 public:
  double Uniform() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) / 9007199254740992.0;
  }
  double Normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum - 6;
  }

 private:
  std::uint64_t state_ = 42;
};

double Daily(int i, Noise& noise) { return 1000 + 400 * std::sin(2 * M_PI * i / 288) + 30 * noise.Normal(); }

TEST(Ml, SaysNothingWhileItLearns) {
  Series series;
  for (int i = 0; i < 40; ++i) {
    Verdict verdict = Update(series, kStart + i * kStep, i == 30 ? 1e9 : 5, kStep, false);
    EXPECT_EQ(verdict.score, 0);
    EXPECT_EQ(verdict.reason, Reason::kLearning);
  }
  EXPECT_EQ(Summarize(series, kStart + 40 * kStep).status, ModelStatus::kPendingBuild);
}

TEST(Ml, ASpikeAndAShiftStandOut) {
  Series series;
  Noise noise;
  int alarms = 0, i = 0;
  for (; i < 288 * 14; ++i) {
    Verdict verdict = Update(series, kStart + i * kStep, Daily(i, noise), kStep, false);
    if (i > 288 && verdict.score >= Limit(model::ConfidenceLevel::kMedium)) ++alarms;
  }
  EXPECT_LE(alarms, 3);
  Series before = series;
  Verdict spike = Update(series, kStart + i * kStep, 4000, kStep, false);
  EXPECT_GE(spike.score, Limit(model::ConfidenceLevel::kHigh));
  EXPECT_TRUE(spike.above);
  EXPECT_LT(spike.expected_high, 4000);
  EXPECT_GT(spike.expected_low, 500);
  series = before;
  Verdict dip = Update(series, kStart + i * kStep, 0, kStep, false);
  EXPECT_GE(dip.score, Limit(model::ConfidenceLevel::kHigh));
  EXPECT_FALSE(dip.above);
}

TEST(Ml, AConstantSeriesIsQuietAndItsChangeIsNot) {
  Series series;
  int i = 0;
  for (; i < 288 * 14; ++i) ASSERT_LT(Update(series, kStart + i * kStep, 7, kStep, false).score, 0.5) << i;
  EXPECT_GE(Update(series, kStart + i * kStep, 8, kStep, false).score, 0.7);
}

TEST(Ml, AnyNumberIsTaken) {
  const double kHuge = std::numeric_limits<double>::max();
  const double values[] = {std::nan(""), INFINITY, -INFINITY, kHuge, -kHuge, 0, -0.0, 1e-320, 1, -1, 1e18, 3};
  Series series;
  Noise noise;
  for (int i = 0; i < 20000; ++i) {
    double value =
        noise.Uniform() < 0.5 ? values[static_cast<std::size_t>(noise.Uniform() * 12)] : noise.Normal();
    auto gap = noise.Uniform() < 0.01 ? static_cast<std::int64_t>(noise.Uniform() * 1e6) : 0;
    Verdict verdict = Update(series, kStart + i * kStep + gap, value, kStep, noise.Uniform() < 0.1);
    ASSERT_GE(verdict.score, 0);
    ASSERT_LE(verdict.score, 1);
    ASSERT_FALSE(std::isnan(verdict.expected_low) || std::isnan(verdict.expected_high));
    ASSERT_LE(verdict.expected_low, verdict.expected_high);
    ASSERT_TRUE(CheckSeries(series).ok()) << i;
  }
}

TEST(Ml, TheSameCallsGiveTheSameBytes) {
  Series a, b;
  Noise noise;
  for (int i = 0; i < 3000; ++i) {
    double value = Daily(i, noise);
    Verdict va = Update(a, kStart + i * kStep, value, kStep, false);
    Series restored;  // b goes through its bytes each time
    restored.bytes = b.bytes;
    Verdict vb = Update(restored, kStart + i * kStep, value, kStep, false);
    b = restored;
    ASSERT_EQ(va.score, vb.score);
    ASSERT_EQ(a, b);
  }
}

TEST(Ml, AConfirmedFalsePositiveIsNotRaisedAgainButWorseIs) {
  Series series;
  Noise noise;
  int i = 0;
  auto update = [&](double value) {
    Verdict verdict = Update(series, kStart + i * kStep, value, kStep, false);
    ++i;
    return verdict;
  };
  auto quiet = [&](int count) {
    for (int k = 0; k < count; ++k) update(100 + 5 * noise.Normal());
  };
  quiet(288 * 14);
  Verdict first = update(180);
  ASSERT_GE(first.score, Limit(model::ConfidenceLevel::kMedium));
  ConfirmFalsePositive(series, first);
  quiet(100);
  EXPECT_LT(update(180).score, Limit(model::ConfidenceLevel::kLow));
  quiet(100);
  EXPECT_GE(update(20).score, Limit(model::ConfidenceLevel::kLow)) << "the other direction is another cause";
  quiet(100);
  EXPECT_GE(update(5000).score, Limit(model::ConfidenceLevel::kLow));
}

TEST(Ml, NothingIsLearnedInAlarmUntilItLastsTooLong) {
  Series series;
  Noise noise;
  int i = 0;
  for (; i < 288 * 7; ++i) Update(series, kStart + i * kStep, 100 + 5 * noise.Normal(), kStep, false);
  auto learned = *Summarize(series, 0).refreshed_s;
  double middle = 0;
  for (int k = 0; k < 70; ++k, ++i) Update(series, kStart + i * kStep, 300 + 5 * noise.Normal(), kStep, true);
  EXPECT_EQ(*Summarize(series, 0).refreshed_s, learned);
  Series back = series;
  middle = Update(back, kStart + i * kStep, 100, kStep, true).score;
  EXPECT_LT(Update(back, kStart + (i + 1) * kStep, 101, kStep, true).score, middle);
  for (int k = 0; k < 288 * 3; ++k, ++i)
    Update(series, kStart + i * kStep, 300 + 5 * noise.Normal(), kStep, k < 5);
  EXPECT_GT(*Summarize(series, 0).refreshed_s, learned);
  EXPECT_LT(Update(series, kStart + i * kStep, 300, kStep, false).score, 0.5);
}

TEST(Ml, WhatComesLateIsNotLearned) {
  Series series;
  for (int i = 0; i < 600; ++i) Update(series, kStart + i * kStep, i % 5, kStep, false);
  Verdict verdict = Update(series, kStart, 4, kStep, false);
  EXPECT_GE(verdict.score, 0);
  EXPECT_EQ(*Summarize(series, 0).refreshed_s, kStart + 599 * kStep);
}

TEST(Ml, BadBytesAreRefused) {
  Series series;
  EXPECT_TRUE(CheckSeries(series).ok());
  series.bytes[100] = 1;
  EXPECT_FALSE(CheckSeries(series).ok());
  Series old;
  old.bytes[0] = kSeriesVersion + 1;
  EXPECT_FALSE(CheckSeries(old).ok());
}

TEST(Ml, ScoresMeanTheAgreedRates) {
  EXPECT_NEAR(ScoreOfRate(kLowRate), 0.70, 1e-5);
  EXPECT_NEAR(ScoreOfRate(kMediumRate), 0.85, 1e-5);
  EXPECT_NEAR(ScoreOfRate(kHighRate), 0.95, 1e-5);
  float last = 0;
  for (float rate = 1000; rate > 1e-9f; rate *= 0.9f) {
    EXPECT_GE(ScoreOfRate(rate), last);
    last = ScoreOfRate(rate);
  }
  EXPECT_LE(last, 1);
}

TEST(Ml, WindowsMergeInAnyOrder) {
  Noise noise;
  CohortWindow whole, parts[3];
  for (int k = 0; k < 30; ++k) {
    Series series;
    for (int i = 0; i < 100; ++i) Update(series, kStart + i * kStep, noise.Normal(), kStep, false);
    whole.Add(series);
    parts[k % 3].Add(series);
  }
  CohortWindow merged = parts[2];
  merged.Merge(parts[0]);
  merged.Merge(parts[1]);
  EXPECT_EQ(merged, whole);
  EXPECT_EQ(whole.members, 30u);
}

TEST(Ml, ASummaryTellsTheTruth) {
  Series series;
  EXPECT_EQ(Summarize(series, kStart).status, ModelStatus::kPendingBuild);
  EXPECT_FALSE(Summarize(series, kStart).started_s);
  for (int i = 0; i < 144; ++i) Update(series, kStart + i * kStep, i % 7, kStep, false);
  Summary summary = Summarize(series, kStart + 144 * kStep);
  EXPECT_EQ(summary.status, ModelStatus::kActive);
  EXPECT_EQ(summary.collected_percent, 50);
  EXPECT_EQ(*summary.started_s, kStart);
  EXPECT_EQ(Summarize(series, kStart + 40 * 86400).status, ModelStatus::kExpired);
}

}  // namespace
}  // namespace fleetward::detect::ml
