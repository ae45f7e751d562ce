#include "fleetward/report/encode.h"

#include <gtest/gtest.h>

#include <limits>

#include "test_reports.h"

namespace fleetward::report {
namespace {

TEST(Encode, PrintsLongAndShortNames) {
  MetricReport report;
  report.report_id = 9;
  report.network.bytes_in = 0;
  report.tcp.Add(22);
  report.tcp.total = 1;
  report.udp.listed = true;
  report.connections.listed = true;
  report.connections.remotes = {{*model::IpAddress::Parse("2001:db8::1"), 443}};
  report.custom.Begin("cpu", model::CustomMetricType::kNumber);
  report.custom.AddNumber(12.5);
  std::string out;
  EncodeReport(report, Format::kJson, Names::kLong, out);
  EXPECT_EQ(out,
            R"({"header":{"report_id":9,"version":"1.0"},"metrics":{"listening_tcp_ports":{"ports":[{"port":22}],"total":1},)"
            R"("listening_udp_ports":{"ports":[]},"network_stats":{"bytes_in":0},"tcp_connections":)"
            R"({"established_connections":{"connections":[{"remote_addr":"[2001:db8::1]:443"}]}}},)"
            R"("custom_metrics":{"cpu":[{"number":12.5}]}})");
  EncodeReport(report, Format::kJson, Names::kShort, out);
  EXPECT_EQ(out, R"({"hed":{"rid":9,"v":"1.0"},"met":{"tp":{"pts":[{"pt":22}],"t":1},"up":{"pts":[]},"ns":{"bi":0},)"
                 R"("tc":{"ec":{"cs":[{"rad":"[2001:db8::1]:443"}]}}},"cmet":{"cpu":[{"number":12.5}]}})");
}

TEST(Encode, LeavesOutWhatHasNoValue) {
  MetricReport report;
  report.report_id = 1;
  report.custom.Begin("bad", model::CustomMetricType::kIpAddressList);
  report.custom.SetFault(CustomFault::kBadAddress);
  report.custom.Begin("nan", model::CustomMetricType::kNumber);
  report.custom.AddNumber(std::numeric_limits<double>::quiet_NaN());
  std::string out = "old";
  EncodeReport(report, Format::kJson, Names::kLong, out);
  EXPECT_EQ(out, R"({"header":{"report_id":1,"version":"1.0"},"metrics":{}})");
}

TEST(Encode, CborUsesTheShortestHeads) {
  MetricReport report;
  report.report_id = 500;
  std::string out;
  EncodeReport(report, Format::kCbor, Names::kShort, out);
  EXPECT_EQ(out, std::string("\xa2\x63hed\xa2\x63rid\x19\x01\xf4\x61v\x63" "1.0\x63met\xa0", 24));
}

TEST(Encode, KeepsTheBuffer) {
  MetricReport report = FullReport();
  std::string out;
  EncodeReport(report, Format::kJson, Names::kLong, out);
  const char* buffer = out.data();
  EncodeReport(report, Format::kCbor, Names::kShort, out);
  EXPECT_EQ(out.data(), buffer);
}

}  // namespace
}  // namespace fleetward::report
