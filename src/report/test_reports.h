// Reports for tests: a fixed one that uses every member, and random ones.
#pragma once

#include <cmath>
#include <random>
#include <string>

#include "fleetward/report/metric_report.h"

namespace fleetward::report {

inline MetricReport FullReport() {
  MetricReport report;
  report.report_id = 1700000300;
  report.spooled_at_seconds = 1700000001;
  report.network = {29358693495, 26485035, 7013, 0};
  for (std::uint16_t port : {24800, 22, 53}) report.tcp.Add(port);
  report.tcp.Finish();
  report.tcp.total = 3;
  report.udp.listed = true;
  report.udp.total = 0;
  report.connections.listed = true;
  report.connections.remotes = {{*model::IpAddress::Parse("192.0.2.5"), 443}, {*model::IpAddress::Parse("2001:db8::5"), 80}};
  report.connections.total = 200;
  using model::CustomMetricType;
  report.custom.Begin("battery", CustomMetricType::kNumber);
  report.custom.AddNumber(71.5);
  report.custom.Begin("temps", CustomMetricType::kNumberList);
  report.custom.AddNumber(-20);
  report.custom.AddNumber(1e300);
  report.custom.Begin("procs", CustomMetricType::kStringList);
  report.custom.AddString("init \"1\"\\\n");
  report.custom.AddString("\xc3\xa9");
  report.custom.Begin("peers", CustomMetricType::kIpAddressList);
  report.custom.AddAddress(*model::IpPrefix::Parse("10.0.0.1"));
  report.custom.AddAddress(*model::IpPrefix::Parse("2001:db8::/32"));
  return report;
}

/// A report of random shape, such as a decoder may yield (`entries` counts no folded duplicates).
class ReportMaker {
 public:
  explicit ReportMaker(unsigned seed) : random_(seed) {}

  MetricReport Make() {
    MetricReport report;
    report.report_id = Below(~std::uint64_t{0} - 1) >> Below(60);
    report.version_minor = static_cast<std::uint16_t>(Below(4) == 0 ? Below(99) : 0);
    Maybe(report.spooled_at_seconds, 253402300799);
    for (auto* counter : {&report.network.bytes_in, &report.network.bytes_out, &report.network.packets_in,
                          &report.network.packets_out}) {
      Maybe(*counter, std::uint64_t{1} << (1 + Below(62)));
    }
    Ports(report.tcp);
    Ports(report.udp);
    report.connections.listed = Below(2) == 0;
    for (std::uint64_t n = report.connections.listed ? Below(40) : 0; n > 0; --n) {
      report.connections.remotes.push_back({Address(), static_cast<std::uint16_t>(Below(65536))});
    }
    Maybe(report.connections.total, 100000);
    for (std::uint64_t n = Below(6), i = 0; i < n; ++i) Custom(report.custom, "metric:" + std::to_string(i));
    return report;
  }

  std::uint64_t Below(std::uint64_t limit) { return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random_); }

 private:
  void Maybe(std::optional<std::int64_t>& value, std::uint64_t limit) {
    if (Below(3) != 0) value = static_cast<std::int64_t>(Below(limit));
  }

  void Ports(PortList& list) {
    list.listed = Below(4) != 0;
    std::uint64_t port = 0;
    while (list.listed && (port += 1 + Below(9000)) < 65536) list.Add(static_cast<std::uint16_t>(port));
    list.Finish();
    Maybe(list.total, 1000);
  }

  model::IpAddress Address() {
    model::IpAddress address;
    if (Below(2) == 0) {
      address.bytes[10] = address.bytes[11] = 0xff;
      for (std::size_t i = 12; i < 16; ++i) address.bytes[i] = static_cast<std::uint8_t>(Below(256));
    } else {
      address.bytes[0] = 0x20;
      for (std::size_t i = 1; i < 16; ++i) address.bytes[i] = static_cast<std::uint8_t>(Below(3) ? 0 : Below(256));
    }
    return address;
  }

  void Custom(CustomMetrics& custom, const std::string& name) {
    auto type = static_cast<model::CustomMetricType>(Below(4));
    custom.Begin(name, type);
    for (std::uint64_t n = type == model::CustomMetricType::kNumber ? 1 : Below(8); n > 0; --n) {
      if (type == model::CustomMetricType::kStringList) {
        std::string text;
        for (std::uint64_t size = Below(30); size > 0; --size) text += static_cast<char>(Below(128));
        custom.AddString(text);
      } else if (type == model::CustomMetricType::kIpAddressList) {
        custom.AddAddress({Address(), 128});
      } else {
        double whole = static_cast<double>(static_cast<std::int64_t>(Below(1 << 30)) - (1 << 29));
        custom.AddNumber(Below(2) == 0 ? whole : std::ldexp(whole / 7, static_cast<int>(Below(600)) - 300));
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace fleetward::report
