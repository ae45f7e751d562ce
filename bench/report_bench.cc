// Cost of turning one report into a validated record, against floors measured in the same run:
//   C1  our JSON decoder over simdjson On-Demand that compares raw keys, converts and stores every field (numbers,
//       ports, addresses, texts as views), and checks nothing: no limits, no duplicates, no order, no ranges
//   C2  our CBOR decoder over our JSON decoder, same content
// Usage: report_bench [ROUNDS | --smoke]. Single thread, CPU time; every payload is in the cache; the sides alternate;
// medians of pairwise ratios and their range.
#include <simdjson.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/report/decode.h"
#include "fleetward/report/record.h"

namespace {

using fleetward::report::CborDecoder;
using fleetward::report::JsonDecoder;
using fleetward::report::kDecodeSlack;
using fleetward::report::MetricReport;
namespace ondemand = simdjson::ondemand;
using Json = nlohmann::ordered_json;

constexpr int kReports = 2000;
constexpr int kBatch = 100;

double CpuNanos() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Brings a payload into the cache, where a server has it that has just read it from a socket.
void Touch(std::string_view payload) {
  for (std::size_t at = 0; at < payload.size(); at += 64) {
    asm volatile("" : : "r"(*static_cast<const volatile char*>(payload.data() + at)));
  }
}

/// About 1.2 kB: 5 TCP ports, 3 UDP ports, 6 connections, all counters, 2 custom numbers, long names.
Json MakeReport(std::mt19937& random) {
  auto pick = [&](std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
  };
  auto ports = [&](int count) {
    Json list = Json::array();
    for (int i = 0; i < count; ++i) list.push_back({{"interface", "eth0"}, {"port", pick(1, 65535)}});
    return Json{{"ports", list}, {"total", count}};
  };
  Json connections = Json::array();
  for (int i = 0; i < 6; ++i) {
    std::string remote;
    for (int octet = 0; octet < 4; ++octet) remote += (octet ? "." : "") + std::to_string(pick(1, 254));
    connections.push_back({{"local_interface", "eth0"},
                           {"local_port", pick(1024, 65535)},
                           {"remote_addr", remote + ":" + std::to_string(pick(1, 65535))}});
  }
  Json report;
  report["header"] = {{"report_id", pick(1600000000, 1999999999)}, {"version", "1.0"}};
  report["metrics"] = {{"listening_tcp_ports", ports(5)},
                       {"listening_udp_ports", ports(3)},
                       {"network_stats",
                        {{"bytes_in", pick(1, 1ULL << 36)},
                         {"bytes_out", pick(1, 1ULL << 32)},
                         {"packets_in", pick(1, 1ULL << 30)},
                         {"packets_out", pick(1, 1ULL << 30)}}},
                       {"tcp_connections", {{"established_connections", {{"connections", connections}, {"total", 6}}}}}};
  report["custom_metrics"] = {{"cpu_usage", {{{"number", static_cast<double>(pick(0, 10000)) / 100}}}},
                              {"battery_mv", {{{"number", pick(3000, 4300)}}}}};
  return report;
}

/// Every field of a report, as it stands.
struct FloorRecord {
  struct Port {
    std::uint16_t port;
    std::string_view interface;
  };
  struct Connection {
    std::uint32_t address;
    std::uint16_t port, local_port;
    std::string_view interface;
  };
  struct Custom {
    std::string_view name;
    double number;
  };
  std::uint64_t report_id, counters[4], totals[3];
  std::string_view version;
  std::uint32_t tcp_count, udp_count, remote_count, custom_count;
  Port tcp[64], udp[64];
  Connection remotes[64];
  Custom custom[8];
};

inline std::string_view RawText(const char* begin) {
  return {begin, static_cast<std::size_t>(static_cast<const char*>(std::memchr(begin, '"', 128)) - begin)};
}

inline std::string_view RawText(ondemand::value value) { return RawText(value.get_raw_json_string().value().raw()); }

inline void ReadRemote(std::string_view text, std::uint32_t& address, std::uint16_t& port) {
  const char* at = text.data();
  std::uint32_t octet = 0;
  address = 0;
  for (; *at != '"' && *at != ':'; ++at) {
    if (*at == '.') {
      address = address << 8 | octet;
      octet = 0;
    } else {
      octet = octet * 10 + static_cast<std::uint32_t>(*at - '0');
    }
  }
  address = address << 8 | octet;
  octet = 0;
  for (++at; *at != '"'; ++at) octet = octet * 10 + static_cast<std::uint32_t>(*at - '0');
  port = static_cast<std::uint16_t>(octet);
}

inline void FloorPorts(ondemand::value value, FloorRecord::Port* ports, std::uint32_t& count, std::uint64_t& total) {
  for (auto member : value.get_object()) {
    if (member.key().value() == "ports") {
      for (auto entry : member.value().get_array()) {
        for (auto field : entry.get_object()) {
          if (field.key().value() == "port") {
            ports[count].port = static_cast<std::uint16_t>(field.value().get_uint64().value());
          } else {
            ports[count].interface = RawText(field.value());
          }
        }
        ++count;
      }
    } else {
      total = member.value().get_uint64();
    }
  }
}

void FloorConnections(ondemand::value value, FloorRecord& out) {
  for (auto outer : value.get_object()) {
    for (auto member : outer.value().get_object()) {
      if (member.key().value() != "connections") {
        out.totals[2] = member.value().get_uint64();
        continue;
      }
      for (auto entry : member.value().get_array()) {
        FloorRecord::Connection& connection = out.remotes[out.remote_count++];
        for (auto field : entry.get_object()) {
          auto key = field.key().value();
          if (key == "remote_addr") {
            ReadRemote(RawText(field.value()), connection.address, connection.port);
          } else if (key == "local_port") {
            connection.local_port = static_cast<std::uint16_t>(field.value().get_uint64().value());
          } else {
            connection.interface = RawText(field.value());
          }
        }
      }
    }
  }
}

void FloorMetrics(ondemand::value value, FloorRecord& out) {
  for (auto member : value.get_object()) {
    auto key = member.key().value();
    if (key == "listening_tcp_ports") {
      FloorPorts(member.value(), out.tcp, out.tcp_count, out.totals[0]);
    } else if (key == "listening_udp_ports") {
      FloorPorts(member.value(), out.udp, out.udp_count, out.totals[1]);
    } else if (key == "network_stats") {
      for (auto counter : member.value().get_object()) {
        const char* name = counter.key().value().raw();
        int index = name[0] == 'b' ? (name[6] == 'o') : 2 + (name[8] == 'o');
        out.counters[index] = counter.value().get_uint64();
      }
    } else if (key == "tcp_connections") {
      FloorConnections(member.value(), out);
    }
  }
}

void Floor(ondemand::parser& parser, const simdjson::padded_string& payload, FloorRecord& out) {
  out.tcp_count = out.udp_count = out.remote_count = out.custom_count = 0;
  auto document = parser.iterate(payload);
  for (auto member : document.get_object()) {
    auto key = member.key().value();
    if (key == "header") {
      for (auto field : member.value().get_object()) {
        if (field.key().value() == "report_id") {
          out.report_id = field.value().get_uint64();
        } else {
          out.version = RawText(field.value());
        }
      }
    } else if (key == "metrics") {
      FloorMetrics(member.value(), out);
    } else if (key == "custom_metrics") {
      for (auto metric : member.value().get_object()) {
        FloorRecord::Custom& custom = out.custom[out.custom_count++];
        custom.name = RawText(metric.key().value().raw());
        for (auto entry : metric.value().get_array()) {
          for (auto field : entry.get_object()) custom.number = field.value().get_double();
        }
      }
    }
  }
}

bool Same(const FloorRecord& floor, const MetricReport& report) {
  std::vector<std::uint16_t> tcp;
  for (std::size_t i = 0; i < floor.tcp_count; ++i) tcp.push_back(floor.tcp[i].port);
  std::sort(tcp.begin(), tcp.end());
  tcp.erase(std::unique(tcp.begin(), tcp.end()), tcp.end());
  bool same = report.report_id == floor.report_id && report.tcp.ports == tcp && report.udp.entries == floor.udp_count &&
              report.connections.remotes.size() == floor.remote_count && report.custom.size() == floor.custom_count &&
              report.tcp.total == static_cast<std::int64_t>(floor.totals[0]) &&
              report.network.bytes_in == static_cast<std::int64_t>(floor.counters[0]) &&
              report.network.bytes_out == static_cast<std::int64_t>(floor.counters[1]) &&
              report.network.packets_in == static_cast<std::int64_t>(floor.counters[2]) &&
              report.network.packets_out == static_cast<std::int64_t>(floor.counters[3]);
  for (std::size_t i = 0; same && i < floor.remote_count; ++i) {
    const auto& remote = report.connections.remotes[i];
    const auto& bytes = remote.address.bytes;
    std::uint32_t address = static_cast<std::uint32_t>(bytes[12]) << 24 | static_cast<std::uint32_t>(bytes[13]) << 16 |
                            static_cast<std::uint32_t>(bytes[14]) << 8 | bytes[15];
    same = remote.address.IsV4() && address == floor.remotes[i].address && remote.port == floor.remotes[i].port;
  }
  for (std::size_t i = 0; same && i < floor.custom_count; ++i) {
    same = report.custom[i].number() == floor.custom[i].number && report.custom[i].name() == floor.custom[i].name;
  }
  return same;
}

void PrintRow(const char* name, const char* what, const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / theirs[i]);
  auto median = [](std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  };
  auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("%s  %-58s %7.0f ns / %7.0f ns  ratio %.2f (%.2f-%.2f)\n", name, what, median(ours), median(theirs),
              median(ratios), *low, *high);
}

}  // namespace

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string_view(argv[1]) == "--smoke";
  const int rounds = smoke ? 1 : argc > 1 ? std::atoi(argv[1]) : 15;
  std::mt19937 random(20);
  std::vector<std::string> json(kReports);
  std::vector<std::string> cbor(kReports);
  std::vector<simdjson::padded_string> padded;
  std::size_t json_bytes = 0, cbor_bytes = 0, record_bytes = 0;
  JsonDecoder json_decoder;
  CborDecoder cbor_decoder;
  ondemand::parser parser;
  MetricReport report, other;
  FloorRecord floor{};
  for (int i = 0; i < kReports; ++i) {
    Json made = MakeReport(random);
    json[i] = made.dump();
    auto bytes = Json::to_cbor(made);
    cbor[i].assign(bytes.begin(), bytes.end());
    padded.emplace_back(json[i]);
    Floor(parser, padded[i], floor);
    std::string record;
    if (!json_decoder.Decode(json[i], report).ok() || !cbor_decoder.Decode(cbor[i], other).ok() || report != other ||
        !Same(floor, report)) {
      std::fprintf(stderr, "the sides do not agree on report %d\n", i);
      return 1;
    }
    fleetward::report::EncodeRecord(report, record);
    json_bytes += json[i].size();
    cbor_bytes += cbor[i].size();
    record_bytes += record.size();
  }
  std::printf("reports of %zu B JSON, %zu B CBOR, %zu B log record; simdjson %s\n", json_bytes / kReports,
              cbor_bytes / kReports, record_bytes / kReports, simdjson::get_active_implementation()->name().c_str());

  std::vector<double> floor_ns, json_ns, cbor_ns, record_ns;
  auto measure = [](std::vector<double>& into, const auto& payloads, auto run) {
    double spent = 0;
    for (int first = 0; first < kReports; first += kBatch) {
      for (int i = first; i < first + kBatch; ++i) Touch({payloads[i].data(), payloads[i].size()});
      double begin = CpuNanos();
      for (int i = first; i < first + kBatch; ++i) run(i);
      spent += CpuNanos() - begin;
    }
    into.push_back(spent / kReports);
  };
  bool ok = true;
  std::string record;
  for (int round = 0; round < rounds; ++round) {
    measure(floor_ns, padded, [&](int i) {
      Floor(parser, padded[i], floor);
      asm volatile("" : : "r"(&floor) : "memory");
    });
    // As from a socket's buffer, which goes on behind the payload (bus::FrameListener).
    measure(json_ns, padded, [&](int i) { ok = json_decoder.Decode(padded[i], report, kDecodeSlack).ok() && ok; });
    measure(cbor_ns, cbor, [&](int i) { ok = cbor_decoder.Decode(cbor[i], report).ok() && ok; });
    measure(record_ns, json, [&](int) {
      record.clear();
      fleetward::report::EncodeRecord(report, record);
    });
  }
  PrintRow("C1", "JSON report to validated record / On-Demand, raw keys", json_ns, floor_ns);
  PrintRow("C2", "CBOR report to validated record / our JSON decoder", cbor_ns, json_ns);
  PrintRow("--", "log record encoded / our JSON decoder", record_ns, json_ns);
  return ok ? 0 : 1;
}
