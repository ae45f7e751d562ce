#include "fleetward/report/record.h"

#include <gtest/gtest.h>

#include "test_reports.h"

namespace fleetward::report {
namespace {

TEST(Record, RoundTripIsExact) {
  ReportMaker maker(11);
  MetricReport back;
  std::string record;
  for (int i = 0; i < 2000; ++i) {
    MetricReport report = i == 0 ? FullReport() : i == 1 ? MetricReport() : maker.Make();
    record.clear();
    EncodeRecord(report, record);
    ASSERT_TRUE(DecodeRecord(record, back).ok()) << i;
    ASSERT_EQ(back, report) << i;
  }
}

TEST(Record, KeepsWhatNoReportOfOursHas) {
  MetricReport report;
  report.version_major = 7;
  report.tcp.Add(80);
  report.tcp.Add(80);
  report.tcp.Finish();
  report.custom.Begin("minus-zero", model::CustomMetricType::kNumber);
  report.custom.AddNumber(-0.0);
  report.custom.Begin("bad", model::CustomMetricType::kIpAddressList);
  report.custom.SetFault(CustomFault::kBadAddress);
  std::string record;
  EncodeRecord(report, record);
  MetricReport back;
  ASSERT_TRUE(DecodeRecord(record, back).ok());
  EXPECT_EQ(back, report);
  EXPECT_EQ(back.tcp.entries, 2U);
  EXPECT_TRUE(std::signbit(back.custom[0].number()));
}

TEST(Record, IsSmall) {
  MetricReport report = FullReport();
  std::string record;
  EncodeRecord(report, record);
  EXPECT_LT(record.size(), 160U);
}

TEST(Record, RefusesEveryTruncationAndTrailingByte) {
  std::string record;
  EncodeRecord(FullReport(), record);
  MetricReport back;
  for (std::size_t size = 0; size < record.size(); ++size) {
    auto status = DecodeRecord(std::string_view(record).substr(0, size), back);
    ASSERT_FALSE(status.ok()) << size;
    EXPECT_EQ(status.error().code(), Code::kCorrupt);
  }
  EXPECT_FALSE(DecodeRecord(record + "x", back).ok());
  record[0] = 2;
  EXPECT_FALSE(DecodeRecord(record, back).ok());
}

TEST(Record, SurvivesEveryFlippedBit) {
  std::string record;
  EncodeRecord(FullReport(), record);
  MetricReport back;
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string broken = record;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    if (!DecodeRecord(broken, back).ok()) continue;
    std::string again;
    EncodeRecord(back, again);
    MetricReport twice;
    ASSERT_TRUE(DecodeRecord(again, twice).ok()) << bit;
  }
}

}  // namespace
}  // namespace fleetward::report
