// Reports as the agents of agent-protocol.md §5 send them, from tests/data/reports, each with what we must read.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "fleetward/base/file.h"
#include "fleetward/report/decode.h"
#include "fleetward/report/record.h"

namespace fleetward::report {
namespace {

namespace fs = std::filesystem;

void Put(std::ostream& out, std::string_view name, const std::optional<std::int64_t>& value) {
  if (value) out << name << ' ' << *value << '\n';
}

void Put(std::ostream& out, std::string_view name, const PortList& list) {
  if (list.listed) {
    out << name << " ports";
    for (std::uint16_t port : list.ports) out << ' ' << port;
    out << '\n';
  }
  if (auto count = list.Count()) out << name << " count " << *count << '\n';
}

/// The report in lines of text, as in the .expected files.
std::string Describe(const MetricReport& report) {
  std::ostringstream out;
  out << "report_id " << *report.report_id << '\n';
  Put(out, "spooled_at", report.spooled_at_seconds);
  Put(out, "bytes_in", report.network.bytes_in);
  Put(out, "bytes_out", report.network.bytes_out);
  Put(out, "packets_in", report.network.packets_in);
  Put(out, "packets_out", report.network.packets_out);
  Put(out, "tcp", report.tcp);
  Put(out, "udp", report.udp);
  if (report.connections.listed) {
    out << "remotes";
    for (const RemoteEndpoint& remote : report.connections.remotes) {
      out << ' ' << remote.address.ToString() << '@' << remote.port;
    }
    out << '\n';
  }
  if (auto count = report.connections.Count()) out << "connections count " << *count << '\n';
  for (std::size_t i = 0; i < report.custom.size(); ++i) {
    auto metric = report.custom[i];
    out << "custom " << metric.name() << ' ' << model::CustomMetricTypeName(metric.type());
    for (double number : metric.numbers()) out << ' ' << number;
    for (std::size_t s = 0; s < metric.string_count(); ++s) out << ' ' << metric.string(s);
    for (const auto& address : metric.addresses()) out << ' ' << address.address.ToString();
    out << '\n';
  }
  return out.str();
}

TEST(Samples, EveryClientIsRead) {
  ReportDecoder decoder;
  MetricReport report;
  int samples = 0;
  for (const auto& entry : fs::directory_iterator(FLEETWARD_TEST_DATA "/reports")) {
    const fs::path& path = entry.path();
    if (path.extension() != ".json" && path.extension() != ".cbor") continue;
    ++samples;
    auto payload = ReadFile(path.string());
    ASSERT_TRUE(payload.ok());
    Format format = path.extension() == ".json" ? Format::kJson : Format::kCbor;
    auto status = decoder.Decode(format, *payload, report);
    ASSERT_TRUE(status.ok()) << path << ": " << status.error().ToString();
    auto expected = ReadFile(fs::path(path).replace_extension(".expected").string());
    ASSERT_TRUE(expected.ok()) << path;
    EXPECT_EQ(Describe(report), *expected) << path;

    std::string record;
    EncodeRecord(report, record);
    MetricReport back;
    ASSERT_TRUE(DecodeRecord(record, back).ok());
    EXPECT_EQ(back, report) << path;
  }
  EXPECT_GE(samples, 18);
}

}  // namespace
}  // namespace fleetward::report
