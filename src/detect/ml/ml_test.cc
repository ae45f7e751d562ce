#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fleetward/detect/ml.h"
#include "ml/calibration.h"
#include "ml/model.h"

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
    Verdict verdict = Update(series, kStart + i * kStep, i == 30 ? 1e9 : 5, kStep, Alarm::kNone);
    EXPECT_EQ(verdict.score, 0);
    EXPECT_EQ(verdict.reason, Reason::kLearning);
  }
  EXPECT_EQ(Summarize(series, kStart + 40 * kStep).status, ModelStatus::kPendingBuild);
}

TEST(Ml, WhatWasInAlarmFromTheStartHasTaughtNothing) {
  Series series;
  int i = 0;
  for (; i < 60; ++i) {
    Verdict verdict = Update(series, kStart + i * kStep, 5000 + i % 7, kStep, Alarm::kUnusual);
    EXPECT_EQ(verdict.score, 0);
    EXPECT_EQ(verdict.reason, Reason::kLearning);
  }
  Summary summary = Summarize(series, kStart + i * kStep);
  EXPECT_EQ(summary.status, ModelStatus::kPendingBuild);
  EXPECT_EQ(summary.collected_percent, 0);
  EXPECT_FALSE(summary.started_s || summary.refreshed_s);
  // The alarm is over: 48 values on, it judges by these.
  Noise noise;
  for (int k = 0; k < 48; ++k, ++i) {
    EXPECT_EQ(Update(series, kStart + i * kStep, 100 + noise.Normal(), kStep, Alarm::kNone).reason, Reason::kLearning);
  }
  summary = Summarize(series, kStart + i * kStep);
  EXPECT_EQ(summary.status, ModelStatus::kActive);
  EXPECT_EQ(summary.started_s, kStart + 60 * kStep);
  Series usual = series;
  EXPECT_LT(Update(usual, kStart + i * kStep, 100, kStep, Alarm::kNone).score, Limit(model::ConfidenceLevel::kLow));
  EXPECT_GE(Update(series, kStart + i * kStep, 5000, kStep, Alarm::kNone).score, Limit(model::ConfidenceLevel::kMedium));
}

TEST(Ml, TheSentenceNamesACauseOnlyOfWhatIsUnusual) {
  Series series;
  Noise noise;
  int i = 0;
  for (; i < 600; ++i) {
    double value = 100 + noise.Normal();
    Verdict verdict = Update(series, kStart + i * kStep, value, kStep, Alarm::kNone);
    bool within = value >= verdict.expected_low && value <= verdict.expected_high;
    if (i < 48 || !within || verdict.score >= 0.70f) continue;
    ASSERT_NE(Explain(verdict, value).find(": usual (anomaly"), std::string::npos) << Explain(verdict, value);
  }
  Verdict verdict = Update(series, kStart + i * kStep, 5000, kStep, Alarm::kNone);
  EXPECT_EQ(Explain(verdict, 5000).find(": usual (anomaly"), std::string::npos) << Explain(verdict, 5000);
}

TEST(Ml, AnAlarmThatNeverEndsDelaysLearningOnly) {
  Series series;
  for (int i = 0; i < 72 + 48; ++i) Update(series, kStart + i * kStep, 100 + i % 7, kStep, Alarm::kUnusual);
  EXPECT_EQ(Summarize(series, kStart).status, ModelStatus::kActive);
  EXPECT_EQ(Summarize(series, kStart).started_s, kStart + 72 * kStep);
}

TEST(Ml, ASpikeAndAShiftStandOut) {
  Series series;
  Noise noise;
  int alarms = 0, i = 0;
  for (; i < 288 * 14; ++i) {
    Verdict verdict = Update(series, kStart + i * kStep, Daily(i, noise), kStep, Alarm::kNone);
    if (i > 288 && verdict.score >= Limit(model::ConfidenceLevel::kMedium)) ++alarms;
  }
  EXPECT_LE(alarms, 3);
  Series before = series;
  Verdict spike = Update(series, kStart + i * kStep, 4000, kStep, Alarm::kNone);
  EXPECT_GE(spike.score, Limit(model::ConfidenceLevel::kHigh));
  EXPECT_TRUE(spike.above);
  EXPECT_LT(spike.expected_high, 4000);
  EXPECT_GT(spike.expected_low, 500);
  series = before;
  Verdict dip = Update(series, kStart + i * kStep, 0, kStep, Alarm::kNone);
  EXPECT_GE(dip.score, Limit(model::ConfidenceLevel::kHigh));
  EXPECT_FALSE(dip.above);
}

TEST(Ml, AConstantSeriesIsQuietAndItsChangeIsNot) {
  Series series;
  int i = 0;
  for (; i < 288 * 14; ++i) ASSERT_LT(Update(series, kStart + i * kStep, 7, kStep, Alarm::kNone).score, 0.5) << i;
  EXPECT_GE(Update(series, kStart + i * kStep, 8, kStep, Alarm::kNone).score, 0.7);
}

constexpr std::int64_t kMonday = 1'699'833'600;  // midnight
constexpr int kDay = 288, kWeek = 7 * kDay, kTrained = 10 * kWeek;

bool IsWeekend(int i) { return i / kDay % 7 >= 5; }
bool IsOpen(int i) { return i % kDay >= 8 * 12 && i % kDay < 18 * 12; }

// Without its knowledge of weeks.
void ForgetWeek(Series& series) {
  Model model = Read(series);
  model.daily_off = 0;
  std::memcpy(series.bytes.data(), &model, sizeof model);
}

struct Weeks {
  Series series;
  int raised = 0;          // values of weekends after the second week with a score of LOW and more
  double off = 0;          // of the values of the last two weekends from what is usual, on average
  double out_of_line = 0;  // highest score when a Sunday's hour is like a Wednesday's
};

// Open from 8 to 18, at weekends only or on the other days only.
Weeks Learn(bool at_weekends, double noise, bool weekly) {
  Weeks weeks;
  Noise random;
  auto value = [&](int i, bool open) { return 1000 + (open && IsOpen(i) ? 600 : 0) + noise * random.Normal(); };
  auto update = [&](int i, double x) {
    Verdict verdict = Update(weeks.series, kMonday + i * kStep, x, kStep, Alarm::kNone);
    if (!weekly) ForgetWeek(weeks.series);
    return verdict.score;
  };
  int count = 0;
  for (int i = 0; i < kTrained; ++i) {
    double x = value(i, IsWeekend(i) == at_weekends);
    double usual = i == 0 ? 0 : Read(weeks.series).ValueOf(Read(weeks.series).SeasonAt(kMonday + i * kStep));
    float score = update(i, x);
    if (i >= 2 * kWeek && IsWeekend(i)) weeks.raised += static_cast<double>(score) >= Limit(model::ConfidenceLevel::kLow);
    if (i < kTrained - 2 * kWeek || !IsWeekend(i) || !IsOpen(i)) continue;
    weeks.off += std::fabs(x - usual);
    ++count;
  }
  weeks.off /= count;
  Series learned = weeks.series;
  for (int i = kTrained; i < kTrained + 6 * kDay + 13 * 12; ++i) {
    bool event = i >= kTrained + 6 * kDay + 12 * 12;
    float score = update(i, value(i, IsWeekend(i) == at_weekends || event));
    if (event) weeks.out_of_line = std::max(weeks.out_of_line, static_cast<double>(score));
  }
  weeks.series = learned;
  return weeks;
}

TEST(Ml, WeekendsAreJudgedByWeekends) {
  for (double noise : {5.0, 30.0, 100.0}) {
    Weeks with = Learn(false, noise, true), without = Learn(false, noise, false);
    EXPECT_TRUE(Read(with.series).IsWeekly());
    EXPECT_FALSE(Read(without.series).IsWeekly());
    EXPECT_LT(with.off, without.off / (noise > 50 ? 1.5 : 3)) << noise;
    EXPECT_EQ(with.raised, 0) << noise;
    EXPECT_GE(with.out_of_line, Limit(model::ConfidenceLevel::kLow)) << noise;
    if (noise > 10) {  // below, both see it
      EXPECT_GT(with.out_of_line, without.out_of_line) << noise;
    }
  }
}

TEST(Ml, WeekendsRaiseLessOnceTheyAreKnown) {
  Weeks with = Learn(true, 5, true), without = Learn(true, 5, false);
  EXPECT_LT(with.raised, without.raised);
}

TEST(Ml, ASeriesWithoutWeeksIsNotJudgedByThem) {
  Series series;
  Noise noise;
  for (int i = 0; i < 5 * kWeek; ++i) {
    Update(series, kMonday + i * kStep, Daily(i, noise), kStep, Alarm::kNone);
    ASSERT_FALSE(Read(series).IsWeekly()) << i;
  }
}

TEST(Ml, WhatComesAtTheSameTimeOfEveryDayGoesQuiet) {
  Series series;
  Noise noise;
  double first = 0, last = 0;
  int i = 0;
  auto update = [&](double more) {
    Verdict verdict = Update(series, kMonday + i * kStep, 100 + 5 * noise.Normal() + more, kStep, Alarm::kNone);
    ++i;
    return static_cast<double>(verdict.score);
  };
  while (i < 18 * kDay) {  // a backup, on five days, two values from 2:00, 2:05 or 2:10 on
    int day = i / kDay, from = 24 + day % 3;
    bool backup = day > 12 && i % kDay >= from && i % kDay < from + 2;
    double score = update(backup ? 60 : 0);
    if (backup && day == 13) first = std::max(first, score);
    if (backup && day == 17) last = std::max(last, score);
  }
  EXPECT_GE(first, Limit(model::ConfidenceLevel::kHigh));
  EXPECT_LT(last, Limit(model::ConfidenceLevel::kLow));
  while (i % kDay < 14 * 12) update(0);
  EXPECT_GE(update(60), Limit(model::ConfidenceLevel::kLow)) << "at another time";
}

TEST(Ml, AJumpBackToWhatIsUsualIsNoEvidence) {
  Series series;
  Noise noise;
  int i = 0;
  auto update = [&](double middle) {
    Verdict verdict = Update(series, kMonday + i * kStep, middle + 5 * noise.Normal(), kStep, Alarm::kNone);
    ++i;
    return verdict;
  };
  while (i < 14 * kDay) update(100);
  Verdict away = update(300);
  EXPECT_GE(away.score, Limit(model::ConfidenceLevel::kHigh));
  for (int k = 0; k < 20; ++k) update(300);
  Verdict back = update(100);
  EXPECT_LT(back.evidence[0], away.evidence[0] / 10);
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
    Verdict verdict = Update(series, kStart + i * kStep + gap, value, kStep,
                             noise.Uniform() < 0.1 ? Alarm::kUnusual : Alarm::kNone);
    ASSERT_GE(verdict.score, 0);
    ASSERT_LE(verdict.score, 1);
    ASSERT_FALSE(std::isnan(verdict.expected_low) || std::isnan(verdict.expected_high));
    ASSERT_LE(verdict.expected_low, verdict.expected_high);
    ASSERT_TRUE(CheckSeries(series).ok()) << i;
  }
}

TEST(Ml, ScalesMayChangeByMagnitudesOverWeeks) {
  Noise noise;
  for (std::int64_t step : {60, 300, 3600, 86400}) {
    Series series;
    for (int i = 0; i < 20000; ++i) {
      double size = std::pow(10.0, std::fmod(i / 500 * 7.0, 60) - 30);  // another one each 500 values
      ASSERT_LE(Update(series, kStart + i * step, size * noise.Normal(), step, Alarm::kNone).score, 1);
      ASSERT_TRUE(CheckSeries(series).ok()) << step << ' ' << i;
    }
  }
}

TEST(Ml, TheSameCallsGiveTheSameBytes) {
  Series a, b;
  Noise noise;
  for (int i = 0; i < 3000; ++i) {
    double value = Daily(i, noise);
    Verdict va = Update(a, kStart + i * kStep, value, kStep, Alarm::kNone);
    Series restored;  // b goes through its bytes each time
    restored.bytes = b.bytes;
    Verdict vb = Update(restored, kStart + i * kStep, value, kStep, Alarm::kNone);
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
    Verdict verdict = Update(series, kStart + i * kStep, value, kStep, Alarm::kNone);
    ++i;
    return verdict;
  };
  auto quiet = [&](int count) {
    for (int k = 0; k < count; ++k) update(100 + 5 * noise.Normal());
  };
  quiet(288 * 14);
  Verdict first = update(180);
  ASSERT_GE(first.score, Limit(model::ConfidenceLevel::kMedium));
  Demand demand = DemandOf(series, first);
  ConfirmFalsePositive(series, demand);
  Series once = series;
  ConfirmFalsePositive(series, demand);
  EXPECT_EQ(series, once) << "said twice, it is not twice as deaf";
  quiet(100);
  EXPECT_LT(update(180).score, Limit(model::ConfidenceLevel::kLow));
  quiet(100);
  EXPECT_GE(update(20).score, Limit(model::ConfidenceLevel::kLow)) << "the other direction is another cause";
  quiet(100);
  EXPECT_GE(update(5000).score, Limit(model::ConfidenceLevel::kLow));
}

/// An operator's rule may stand in alarm for days: what the thing does meanwhile does not become normal.
TEST(Ml, NothingIsLearnedOfAnAccusedThingHoweverLong) {
  Series series;
  Noise noise;
  int i = 0;
  auto update = [&](double middle, Alarm alarm) {
    return Update(series, kStart + i++ * kStep, middle + 5 * noise.Normal(), kStep, alarm);
  };
  while (i < 288 * 7) update(100, Alarm::kNone);
  Summary learned = Summarize(series, 0);
  while (i < 288 * 10) EXPECT_GE(update(300, Alarm::kAccused).score, 0.6) << i;
  EXPECT_EQ(*Summarize(series, 0).refreshed_s, *learned.refreshed_s);
  EXPECT_EQ(Summarize(series, 0).values, learned.values);
  EXPECT_GE(update(300, Alarm::kNone).score, 0.6);
  for (int k = 0; k < 24; ++k) update(100, Alarm::kNone);
  EXPECT_LT(update(100, Alarm::kNone).score, Limit(model::ConfidenceLevel::kLow));
}

TEST(Ml, NothingIsLearnedInAlarmUntilItLastsTooLong) {
  Series series;
  Noise noise;
  int i = 0;
  for (; i < 288 * 7; ++i) Update(series, kStart + i * kStep, 100 + 5 * noise.Normal(), kStep, Alarm::kNone);
  auto learned = *Summarize(series, 0).refreshed_s;
  double middle = 0;
  for (int k = 0; k < 70; ++k, ++i) Update(series, kStart + i * kStep, 300 + 5 * noise.Normal(), kStep, Alarm::kUnusual);
  EXPECT_EQ(*Summarize(series, 0).refreshed_s, learned);
  Series back = series;
  middle = Update(back, kStart + i * kStep, 100, kStep, Alarm::kUnusual).score;
  EXPECT_LT(Update(back, kStart + (i + 1) * kStep, 101, kStep, Alarm::kUnusual).score, middle);
  for (int k = 0; k < 288 * 3; ++k, ++i)
    Update(series, kStart + i * kStep, 300 + 5 * noise.Normal(), kStep,
           k < 5 ? Alarm::kUnusual : Alarm::kNone);
  EXPECT_GT(*Summarize(series, 0).refreshed_s, learned);
  EXPECT_LT(Update(series, kStart + i * kStep, 300, kStep, Alarm::kNone).score, 0.5);
}

TEST(Ml, WhatComesLateIsNotLearned) {
  Series series;
  for (int i = 0; i < 600; ++i) Update(series, kStart + i * kStep, i % 5, kStep, Alarm::kNone);
  Verdict verdict = Update(series, kStart, 4, kStep, Alarm::kNone);
  EXPECT_GE(verdict.score, 0);
  EXPECT_EQ(*Summarize(series, 0).refreshed_s, kStart + 599 * kStep);
}

TEST(Ml, BadBytesAreRefused) {
  Series series;
  EXPECT_TRUE(CheckSeries(series).ok());
  series.bytes[100] = 1;
  EXPECT_FALSE(CheckSeries(series).ok());
  Series other;
  other.bytes[0] = kSeriesVersion + 1;
  EXPECT_FALSE(CheckSeries(other).ok());
  EXPECT_FALSE(IsOutdated(other));
  EXPECT_FALSE(IsOutdated(Series{}));
  other.bytes[0] = kSeriesVersion - 1;
  EXPECT_FALSE(CheckSeries(other).ok());
  EXPECT_TRUE(IsOutdated(other));

  Series good;
  for (int i = 0; i < 10; ++i) Update(good, kStart + i * kStep, i, kStep, Alarm::kNone);
  ASSERT_TRUE(CheckSeries(good).ok());
  auto refused = [&](auto change) {
    Model model = Read(good);
    change(model);
    Series changed;
    std::memcpy(changed.bytes.data(), &model, sizeof model);
    return !CheckSeries(changed).ok();
  };
  EXPECT_FALSE(refused([](Model&) {}));
  EXPECT_TRUE(refused([](Model& m) { m.ring_at = Model::kHistory; }));
  EXPECT_TRUE(refused([](Model& m) { m.bucket_at = Model::kBuckets; }));
  EXPECT_TRUE(refused([](Model& m) { m.day_at = Model::kDays; }));
  EXPECT_TRUE(refused([](Model& m) { m.weekly_step = std::nanf(""); }));
  EXPECT_TRUE(refused([](Model& m) { m.weekly_step = -1; }));
  EXPECT_TRUE(refused([](Model& m) { m.grain = 0; }));
  EXPECT_TRUE(refused([](Model& m) { m.along = INFINITY; }));
  EXPECT_TRUE(refused([](Model& m) { m.recent_count = Model::kRecent + 1; }));
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
    for (int i = 0; i < 100; ++i) Update(series, kStart + i * kStep, noise.Normal(), kStep, Alarm::kNone);
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
  for (int i = 0; i < 144; ++i) Update(series, kStart + i * kStep, i % 7, kStep, Alarm::kNone);
  Summary summary = Summarize(series, kStart + 144 * kStep);
  EXPECT_EQ(summary.status, ModelStatus::kActive);
  EXPECT_EQ(summary.collected_percent, 50);
  EXPECT_EQ(*summary.started_s, kStart);
  EXPECT_EQ(Summarize(series, kStart + 40 * 86400).status, ModelStatus::kExpired);
}

}  // namespace
}  // namespace fleetward::detect::ml
