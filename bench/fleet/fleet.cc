#include "fleet.h"

#include <cstdio>
#include <cstdlib>

#include "fleetward/model/json.h"

namespace fleetward::bench {
namespace {

struct Limit {
  const char* name;
  const char* metric;
  const char* value;      // JSON of the value
  const char* op;
  int duration;           // 0: none
};

// Those that the flags turn into statistical and ML ones come last.
constexpr Limit kLimits[] = {
    {"ports", "aws:listening-tcp-ports", R"({"ports":[23,4444,6667]})", "not-in-port-set", 0},
    {"destinations", "aws:destination-ip-addresses", R"({"cidrs":["203.0.113.0/24","198.51.100.0/24"]})", "not-in-cidr-set", 0},
    {"tcp", "aws:num-listening-tcp-ports", R"({"count":100})", "less-than", 300},
    {"cpu", "cpu", R"({"number":101})", "less-than", 0},
    {"sent", "aws:num-messages-sent", R"({"count":1000})", "less-than", 300},
    {"offline", "aws:disconnect-duration", R"({"count":600})", "less-than", 0},
    {"bytes-in", "aws:all-bytes-in", R"({"count":1000000})", "less-than", 300},
    {"connections", "aws:num-established-tcp-connections", R"({"count":1000})", "less-than", 300},
    {"packets-out", "aws:all-packets-out", R"({"count":1000000})", "less-than-equals", 300},
    {"bytes-out", "aws:all-bytes-out", R"({"count":1000000})", "less-than", 3600},
};

}  // namespace

model::EntityId Fleet::EntityOf(std::uint64_t thing) {
  std::uint64_t x = (thing + 1) * 0x9e3779b97f4a7c15ULL;
  x ^= x >> 31;
  return {x * 0xbf58476d1ce4e5b9ULL, x * 0x94d049bb133111ebULL};
}

std::string Fleet::NameOf(std::uint64_t thing) {
  char name[32];
  std::snprintf(name, sizeof name, "device-%08llu", static_cast<unsigned long long>(thing));
  return name;
}

detect::ProfileConfig Fleet::Profile(int statistical, int ml, int exported) {
  std::string behaviors;
  int left = static_cast<int>(std::size(kLimits));
  for (const Limit& limit : kLimits) {
    std::string criteria = "{";
    if (left-- > statistical + ml) {
      criteria += std::string("\"comparisonOperator\":\"") + limit.op + "\",\"value\":" + limit.value;
      if (limit.duration > 0) criteria += ",\"durationSeconds\":" + std::to_string(limit.duration);
    } else if (left >= ml) {
      criteria += R"("comparisonOperator":"less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p99.9"})";
    } else {
      criteria += R"("mlDetectionConfig":{"confidenceLevel":"HIGH"},"consecutiveDatapointsToAlarm":1,"consecutiveDatapointsToClear":1)";
    }
    behaviors += (behaviors.empty() ? "" : ",") + std::string("{\"name\":\"") + limit.name + "\",\"metric\":\"" + limit.metric +
                 "\",\"criteria\":" + criteria + "}" + (exported-- > 0 ? ",\"exportMetric\":true}" : "}");
  }
  auto parsed = model::ParseSecurityProfile("{\"securityProfileName\":\"bench\",\"metricsExportConfig\":{\"mqttTopic\":\"export/bench\","
                                            "\"roleArn\":\"arn:aws:iam::123456789012:role/export\"},\"behaviors\":[" + behaviors + "]}");
  if (!parsed.ok()) {
    std::fprintf(stderr, "fleet_bench: profile: %s\n", parsed.error().ToString().c_str());
    std::exit(1);
  }
  detect::ProfileConfig config;
  config.profile = std::move(*parsed);
  config.definition_versions.assign(config.profile.behaviors.size(), 1);
  config.targets = {{model::ProfileTarget::Kind::kAllThings, {}}};
  return config;
}

const std::string& Fleet::Payload(std::uint64_t thing, std::uint64_t round) {
  report::EncodeReport(Report(thing, round), report::Format::kJson, report::Names::kLong, payload_);
  return payload_;
}

const report::MetricReport& Fleet::Report(std::uint64_t thing, std::uint64_t round) {
  std::uint64_t own = (thing + 1) * 0x9e3779b97f4a7c15ULL;
  bool bad = thing % 10'000 == 77 && round % 4 == 1;
  report_.Clear();
  report_.report_id = 1'700'000'000 + round * 300 + thing % 300;
  report_.network = {static_cast<std::int64_t>(own % 3000 + Random() % 5000), static_cast<std::int64_t>(own % 700 + Random() % 5000),
                     static_cast<std::int64_t>(Random() % 50), static_cast<std::int64_t>(Random() % 50)};
  report_.tcp.listed = report_.udp.listed = true;
  for (int i = 0; i < 4; ++i) report_.tcp.Add(static_cast<std::uint16_t>(own >> i * 4 & 0x7fff));
  if (bad) report_.tcp.Add(4444);
  report_.tcp.Finish();
  report_.tcp.total = static_cast<std::int64_t>(report_.tcp.ports.size());
  for (int i = 0; i < 2; ++i) report_.udp.Add(static_cast<std::uint16_t>(own >> i * 9 & 0x3fff));
  report_.udp.Finish();
  report_.udp.total = 2;
  report_.connections.listed = true;
  for (int i = 0; i < 4; ++i) {
    std::uint64_t to = Random() % 10 == 0 ? Random() : own * static_cast<std::uint64_t>(i + 3);
    model::IpAddress address;
    address.bytes[10] = address.bytes[11] = 0xff;
    address.bytes[12] = 10;
    for (std::size_t b = 13; b < 16; ++b) address.bytes[b] = static_cast<std::uint8_t>(to >> (b - 13) * 8);
    report_.connections.remotes.push_back({address, static_cast<std::uint16_t>(443 + i)});
  }
  report_.connections.total = 4;
  for (const char* name : kCustomNumbers) {
    report_.custom.Begin(name, model::CustomMetricType::kNumber);
    report_.custom.AddNumber(static_cast<double>(Random() % 1000) / 10);
  }
  return report_;
}

}  // namespace fleetward::bench
