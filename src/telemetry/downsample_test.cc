#include "downsample.h"

#include <gtest/gtest.h>

#include <limits>

namespace fleetward::telemetry {
namespace {

constexpr std::int64_t kStart = 1'800'000'000'000;   // a multiple of the stretch
constexpr Millis kLength{3'600'000};
constexpr SeriesKey kCount{0, 0}, kTopics{0, 13}, kNumber{70, 0}, kPorts{15, 0}, kNames{71, 0};

Sample At(std::int64_t ms, std::uint32_t flags = 0) {
  Sample sample;
  sample.entity = {1, 2};
  sample.source = Source::kCloud;
  sample.time = FromMillis(kStart + ms);
  sample.flags = flags;
  sample.report_id = 7;
  sample.reporter = std::string(32, 'r');
  return sample;
}

template <class T>
T ValueOf(const Sample& sample, SeriesKey key) {
  const Sample::Field* field = sample.Find(key);
  EXPECT_NE(field, nullptr) << key.metric;
  return field ? std::get<T>(sample.Value(*field)) : T();
}

TEST(Downsample, AStretchHasMeansOfNumbersAndTheLatestLists) {
  std::vector<Sample> fine = {At(0), At(1000), At(kLength.count() - 1), At(kLength.count())};
  for (std::size_t i = 0; i < fine.size(); ++i) {
    auto n = static_cast<std::int64_t>(i);
    fine[i].AddCount(kCount, 10 * n);
    fine[i].AddCount(kTopics, 1 - n * n);
    if (i != 1) fine[i].AddNumber(kNumber, 0.5 * static_cast<double>(n));
    fine[i].AddPorts(kPorts, std::vector<std::uint16_t>{static_cast<std::uint16_t>(20 + i)});
    if (i == 0) fine[i].Add(kNames, model::Strings{"only", "once"});
  }
  std::vector<Sample> coarse = Downsample(fine, kLength);
  ASSERT_EQ(coarse.size(), 2u);
  EXPECT_EQ(coarse[0].time, FromMillis(kStart));
  EXPECT_EQ(coarse[0].entity, (model::EntityId{1, 2}));
  EXPECT_EQ(coarse[0].source, Source::kCloud);
  EXPECT_EQ(coarse[0].report_id, 0u);
  EXPECT_EQ(coarse[0].reporter, "");
  EXPECT_EQ(ValueOf<model::Count>(coarse[0], kCount).value, 10);
  EXPECT_EQ(ValueOf<model::Count>(coarse[0], kTopics).value, -1) << "-2/3: series of a dimension are their own";
  EXPECT_EQ(ValueOf<model::Number>(coarse[0], kNumber).value, 0.5) << "of the two that had it";
  EXPECT_EQ(ValueOf<model::Ports>(coarse[0], kPorts), model::Ports{22});
  EXPECT_EQ(ValueOf<model::Strings>(coarse[0], kNames), (model::Strings{"only", "once"}));
  EXPECT_EQ(coarse[1].time, FromMillis(kStart + kLength.count()));
  EXPECT_EQ(ValueOf<model::Count>(coarse[1], kCount).value, 30);
  EXPECT_EQ(coarse[1].Find(kNames), nullptr);
}

TEST(Downsample, FlagsAreAllThatOccurredInTheStretch) {
  std::vector<Sample> fine = {At(0, kFlagSpooled), At(1, kFlagGap), At(kLength.count())};
  for (Sample& sample : fine) sample.AddCount(kCount, 1);
  std::vector<Sample> coarse = Downsample(fine, kLength);
  ASSERT_EQ(coarse.size(), 2u);
  EXPECT_EQ(coarse[0].flags, kFlagSpooled | kFlagGap | kFlagDownsampled);
  EXPECT_EQ(coarse[1].flags, std::uint32_t{kFlagDownsampled});
}

TEST(Downsample, WhatIsNoNumberDoesNotSpoilAMean) {
  std::vector<Sample> fine = {At(0), At(1), At(2)};
  fine[0].AddNumber(kNumber, 3);
  fine[1].AddNumber(kNumber, std::numeric_limits<double>::quiet_NaN());
  fine[2].AddNumber(kNumber, std::numeric_limits<double>::infinity());
  EXPECT_EQ(ValueOf<model::Number>(Downsample(fine, kLength).at(0), kNumber).value, 3);
  fine.erase(fine.begin());
  EXPECT_EQ(Downsample(fine, kLength).at(0).Find(kNumber), nullptr);
}

TEST(Downsample, LargeCountsDoNotOverflow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - 1;
  std::vector<Sample> fine = {At(0), At(1), At(2)};
  for (Sample& sample : fine) sample.AddCount(kCount, kMost);
  EXPECT_EQ(ValueOf<model::Count>(Downsample(fine, kLength).at(0), kCount).value, kMost);
}

// A custom metric that was made anew under its old number would be another kind; only the later one counts.
TEST(Downsample, AKindThatChangesBeginsAnew) {
  std::vector<Sample> fine = {At(0), At(1), At(2)};
  fine[0].AddCount(kNumber, 1000);
  fine[1].AddNumber(kNumber, 1);
  fine[2].AddNumber(kNumber, 2);
  EXPECT_EQ(ValueOf<model::Number>(Downsample(fine, kLength).at(0), kNumber).value, 1.5);
}

TEST(Downsample, PartsThatAreNoMetricAreDropped) {
  std::vector<Sample> fine = {At(0)};
  fine[0].AddCount(kCount, 1);
  fine[0].AddPorts({kAuxDestinationPorts, 0}, std::vector<std::uint16_t>{443});
  fine[0].AddCount({kAuxReportsLost, 0}, 5);
  std::vector<Sample> coarse = Downsample(fine, kLength);
  ASSERT_EQ(coarse.size(), 1u);
  EXPECT_EQ(coarse[0].fields().size(), 1u);
}

}  // namespace
}  // namespace fleetward::telemetry
