#include "fleetward/report/metric_report.h"

#include <gtest/gtest.h>

namespace fleetward::report {
namespace {

using model::BuiltinMetric;
using model::CustomMetricType;

TEST(MetricReport, CountsPreferTotalThenListLength) {
  MetricReport report;
  EXPECT_FALSE(CountOf(report, BuiltinMetric::kNumListeningTcpPorts));
  for (std::uint16_t port : {443, 22, 443}) report.tcp.Add(port);
  report.tcp.Finish();
  EXPECT_EQ(report.tcp.ports, (std::vector<std::uint16_t>{22, 443}));
  EXPECT_EQ(CountOf(report, BuiltinMetric::kNumListeningTcpPorts), 3);
  report.tcp.total = 70;
  EXPECT_EQ(CountOf(report, BuiltinMetric::kNumListeningTcpPorts), 70);
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kListeningTcpPorts), model::MetricValue(model::Ports{22, 443}));
}

TEST(MetricReport, EmptyListIsAValueAndAbsenceIsNone) {
  MetricReport report;
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kListeningUdpPorts), model::MetricValue());
  report.udp.listed = true;
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kListeningUdpPorts), model::MetricValue(model::Ports{}));
  EXPECT_EQ(CountOf(report, BuiltinMetric::kNumListeningUdpPorts), 0);
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kDestinationIpAddresses), model::MetricValue());
  report.connections.listed = true;
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kDestinationIpAddresses), model::MetricValue(model::Cidrs{}));
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kNumMessagesSent), model::MetricValue());
}

TEST(MetricReport, DestinationsAreAscendingAndOnce) {
  MetricReport report;
  report.connections.listed = true;
  auto a = *model::IpAddress::Parse("192.0.2.9");
  auto b = *model::IpAddress::Parse("10.0.0.1");
  report.connections.remotes = {{a, 443}, {b, 1}, {a, 80}};
  EXPECT_EQ(CountOf(report, BuiltinMetric::kNumEstablishedTcpConnections), 3);
  EXPECT_EQ(ValueOf(report, BuiltinMetric::kDestinationIpAddresses), model::MetricValue(model::Cidrs{{b, 128}, {a, 128}}));
}

TEST(CustomMetrics, KeepsValuesOfEveryTypeApart) {
  CustomMetrics custom;
  custom.Begin("cpu", CustomMetricType::kNumber);
  custom.AddNumber(-1.5);
  custom.Begin("procs", CustomMetricType::kStringList);
  custom.AddString("init");
  custom.AddString("");
  custom.Begin("temps", CustomMetricType::kNumberList);
  custom.Begin("peers", CustomMetricType::kIpAddressList);
  custom.AddAddress(*model::IpPrefix::Parse("10.0.0.1"));
  custom.Begin("bad", CustomMetricType::kIpAddressList);
  custom.AddAddress(*model::IpPrefix::Parse("10.0.0.2"));
  custom.SetFault(CustomFault::kBadAddress);

  EXPECT_EQ(ValueOf(*custom.Find("cpu")), model::MetricValue(model::Number{-1.5}));
  EXPECT_EQ(ValueOf(*custom.Find("procs")), model::MetricValue(model::Strings{"init", ""}));
  EXPECT_EQ(ValueOf(*custom.Find("temps")), model::MetricValue(model::Numbers{}));
  EXPECT_EQ(ValueOf(*custom.Find("peers")), model::MetricValue(model::Cidrs{*model::IpPrefix::Parse("10.0.0.1")}));
  EXPECT_EQ(ValueOf(*custom.Find("bad")), model::MetricValue());
  EXPECT_TRUE(custom.Find("bad")->addresses().empty());
  EXPECT_FALSE(custom.Find("other"));

  CustomMetrics copy = custom;
  EXPECT_EQ(copy, custom);
  custom.Clear();
  EXPECT_TRUE(custom.empty());
  EXPECT_FALSE(copy == custom);
}

}  // namespace
}  // namespace fleetward::report
