// Both block formats: what goes in comes out, and bytes from nowhere do no harm.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>

#include "day_block.h"
#include "hour_block.h"
#include "int_stream.h"
#include "open_rows.h"
#include "store_test_support.h"

namespace fleetward::telemetry {
namespace {

std::vector<Sample> RandomSamples(std::mt19937_64& random, std::size_t count) {
  std::vector<Sample> samples(count);
  std::int64_t ms = 1'790'000'000'000;
  for (Sample& sample : samples) {
    sample.entity = TestEntity(1);
    ms += random() % 10 == 0 ? static_cast<std::int64_t>(random() % 5000) : 300'000;
    sample.time = FromMillis(ms);
    FillRandom(random, sample);
  }
  return samples;
}

std::string HourBlockOf(const std::vector<Sample>& samples) {
  std::string rows;
  for (std::size_t i = 0; i < samples.size(); ++i) AppendHourRow(samples[i], i ? &samples[i - 1] : nullptr, rows);
  return MakeHourBlock(samples.size(), 10, 10 + samples.size(), rows);
}

std::string DayBlockOf(const std::vector<Sample>& samples) {
  std::vector<const Sample*> order;
  for (const Sample& sample : samples) order.push_back(&sample);
  DayEncoder encoder;
  return std::string(encoder.Encode(order));
}

TEST(IntStream, RoundTrips) {
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> scratch, out;
  std::vector<std::vector<std::uint64_t>> cases = {
      {}, {0}, {UINT64_MAX}, {0, UINT64_MAX, 0}, {1, 2}, {5, 5, 5}, {1000000, 1000300, 1000600, 1000901}, {UINT64_MAX, 1, 2}};
  for (int i = 0; i < 300; ++i) {
    std::vector<std::uint64_t> values(random() % 50);
    int shift = static_cast<int>(random() % 64);
    std::uint64_t base = random();
    for (auto& v : values) v = (random() >> shift) + (i % 2 ? base : 0);
    cases.push_back(values);
  }
  for (const auto& values : cases) {
    std::string bytes;
    PutInts(values, scratch, bytes);
    ByteReader in(bytes);
    ASSERT_TRUE(GetInts(in, values.size(), out));
    EXPECT_TRUE(in.AtEnd());
    EXPECT_EQ(out, values);
  }
}

TEST(Blocks, RoundTripEveryKindOfValue) {
  std::mt19937_64 random(11);
  DayDecoder decoder;
  std::vector<Sample> decoded;
  for (int round = 0; round < 200; ++round) {
    std::vector<Sample> samples = RandomSamples(random, 1 + random() % 12);
    std::size_t used = 0;
    ASSERT_TRUE(DecodeHourBlock(HourBlockOf(samples), TestEntity(1), Source::kDevice, decoded, used).ok());
    ASSERT_EQ(used, samples.size());
    for (std::size_t i = 0; i < used; ++i) ASSERT_EQ(decoded[i], samples[i]) << round << " " << i;
    samples = RandomSamples(random, 1 + random() % 300);
    std::string block = DayBlockOf(samples);
    used = 0;
    ASSERT_TRUE(decoder.Decode(block, TestEntity(1), Source::kDevice, nullptr, decoded, used).ok());
    ASSERT_EQ(used, samples.size());
    for (std::size_t i = 0; i < used; ++i) ASSERT_EQ(decoded[i], samples[i]) << round << " " << i;
    SeriesKey only{15, 0};
    used = 0;
    ASSERT_TRUE(decoder.Decode(block, TestEntity(1), Source::kDevice, &only, decoded, used).ok());
    for (std::size_t i = 0; i < used; ++i) {
      const Sample::Field* expected = samples[i].Find(only);
      ASSERT_EQ(decoded[i].fields().size(), expected ? 1u : 0u);
      if (expected) {
        ASSERT_EQ(decoded[i].Value(decoded[i].fields()[0]), samples[i].Value(*expected));
      }
    }
  }
}

TEST(OpenRows, GrowAsABlockCodedAtOnceAlsoAfterARestart) {
  std::mt19937_64 random(13);
  OpenRows::Scratch scratch;
  std::vector<Sample> decoded;
  for (int round = 0; round < 200; ++round) {
    std::vector<Sample> samples = RandomSamples(random, 1 + random() % 12);
    // Mostly of one kind, as devices report: schema and reporter stand in a row far back.
    for (std::size_t i = 1; i < samples.size(); ++i) {
      if (random() % 4 != 0) samples[i] = samples[i - 1];
    }
    std::string expected;
    OpenRows rows;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      AppendHourRow(samples[i], i ? &samples[i - 1] : nullptr, expected);
      rows.Append(samples[i], scratch);
      ASSERT_EQ(rows.rows(), expected) << round << " " << i;
      if (random() % 3 != 0) continue;
      std::size_t used = 0;
      RowPlaces places;
      std::string block = MakeHourBlock(i + 1, 10, 20, rows.rows());
      ASSERT_TRUE(DecodeHourBlock(block, TestEntity(1), Source::kDevice, decoded, used, &places).ok());
      rows.Assign(expected, decoded[used - 1], places, scratch);
    }
    rows.Clear();
    ASSERT_TRUE(rows.empty());
    rows.Append(samples[0], scratch);
    std::string alone;
    AppendHourRow(samples[0], nullptr, alone);
    ASSERT_EQ(rows.rows(), alone);
  }
}

TEST(Blocks, RowsWithoutValuesAndUnchangedListsTakeNearlyNothing) {
  std::vector<Sample> samples(12);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].entity = TestEntity(1);
    samples[i].time = FromMillis(static_cast<std::int64_t>(i) * 300'000);
    samples[i].AddPorts({15, 0}, std::vector<std::uint16_t>(500, 80));
  }
  EXPECT_LT(HourBlockOf(samples).size(), 1200u);
  EXPECT_LT(DayBlockOf(samples).size(), 200u);
}

// Devices choose the elements of custom lists, so they can choose what std::hash makes of them.
TEST(Blocks, ElementsThatCollideCostNoMoreTimeThanOthers) {
  constexpr std::size_t kSamples = 60, kEach = 1000;
  auto encode = [&](std::uint64_t mask, double& seconds) {
    std::vector<Sample> samples(kSamples);
    std::vector<double> list(kEach);
    std::uint64_t next = 1;
    for (Sample& sample : samples) {
      for (double& number : list) {
        std::string bytes(8, '\0');
        do {
          std::memcpy(bytes.data(), &++next, 8);
        } while ((std::hash<std::string_view>()(bytes) & mask) != 0);
        number = std::bit_cast<double>(next);
      }
      sample.AddNumbers({67, 0}, list);
    }
    auto begun = std::clock();
    std::string block = DayBlockOf(samples);
    seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
    std::vector<Sample> back;
    std::size_t used = 0;
    EXPECT_TRUE(DayDecoder().Decode(block, {}, Source::kDevice, nullptr, back, used).ok());
    EXPECT_EQ(used, kSamples);
    EXPECT_TRUE(back == samples);
  };
  double plain = 0, crafted = 0;
  encode(0, plain);
  encode(0x3f000, crafted);   // a 64th of the table that they need
  EXPECT_LT(crafted, 0.2 + plain * 20) << plain;
}

TEST(Blocks, DamagedBytesAreRefusedOrDecodedButNeverHarm) {
  std::mt19937_64 random(5);
  std::vector<Sample> decoded;
  DayDecoder decoder;
  for (int round = 0; round < 60; ++round) {
    std::vector<Sample> samples = RandomSamples(random, 1 + random() % 12);
    for (std::string block : {HourBlockOf(samples), DayBlockOf(samples)}) {
      for (int change = 0; change < 40; ++change) {
        std::string bytes = block;
        if (change % 4 == 0) {
          bytes.resize(random() % bytes.size());
        } else {
          bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        std::size_t used = 0;
        (void)DecodeHourBlock(bytes, TestEntity(1), Source::kDevice, decoded, used).ok();
        used = 0;
        (void)decoder.Decode(bytes, TestEntity(1), Source::kDevice, nullptr, decoded, used).ok();
      }
    }
  }
  std::size_t used = 0;
  EXPECT_EQ(DecodeHourBlock("", TestEntity(1), Source::kDevice, decoded, used).error().code(), Code::kCorrupt);
  EXPECT_EQ(decoder.Decode("", TestEntity(1), Source::kDevice, nullptr, decoded, used).error().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace fleetward::telemetry
