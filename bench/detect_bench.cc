// Cost of the detection engine: per report with 10 behaviors, per thing and rule at a bucket's end, and bytes of state.
// The floor is a plain loop over the same thing states in random order: the same rules, written out by hand, without
// windows, lookup, reasons or decisions. Pairs A B A B …; CPU time of the thread; medians. In a second run two of the ten
// behaviors are statistical (as in bench/prometheus), in a third two more ML; the floor then counts values into a histogram
// for the next window's percentile, and calls the model directly. The end of the window belongs to the reports' cost there.
//
//   detect_bench [--things N] [--reports N] [--only static|statistical|mixed|buckets] [--smoke]
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fleetward/base/huge_pages.h"
#include "fleetward/detect/engine.h"
#include "fleetward/model/json.h"

namespace {

using namespace fleetward;  // NOLINT: a program of one file

constexpr std::int64_t kStart = 1'767'225'600'000;

double CpuNow() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::uint64_t random_state = 88172645463325252ULL;
std::uint64_t Random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

enum class Kinds { kStatic, kStatistical, kMixed };

class CountingSink : public detect::DecisionSink {
 public:
  void OnViolation(const detect::Decision&) override { ++events; }
  void OnActiveUpdated(const detect::ActiveUpdate&) override { ++updates; }
  void OnStorm(const detect::StormUpdate&) override {}
  void OnDigest(const detect::WindowDigest&) override {}
  std::uint64_t events = 0, updates = 0;
};

std::array<std::uint8_t, 32> AnyDigest(std::string_view bytes) {
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t i = 0; i < bytes.size(); ++i) digest[i % 32] = static_cast<std::uint8_t>(digest[i % 32] * 31 + bytes[i]);
  return digest;
}

std::vector<model::IpPrefix> Prefixes(int count) {
  std::vector<model::IpPrefix> prefixes;
  for (int i = 0; i < count; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "%d.%d.%d.0/24", 100 + i % 50, i / 50 % 256, static_cast<int>(Random() % 256));
    prefixes.push_back(*model::IpPrefix::Parse(text));
  }
  return prefixes;
}

/// Ten behaviors on metrics of reports: three windows, three counts, a port set, 900 CIDRs, two custom numbers.
/// Statistical: two of the windows. Mixed: those, and the custom numbers ML.
std::string DeviceBehaviors(const std::vector<model::IpPrefix>& prefixes, Kinds kinds) {
  std::string cidrs;
  for (const auto& prefix : prefixes) cidrs += (cidrs.empty() ? "\"" : ",\"") + prefix.ToString() + "\"";
  auto count = [](const char* name, const char* metric, const char* op, int limit) {
    return std::string("{\"name\":\"") + name + "\",\"metric\":\"" + metric + "\",\"criteria\":{\"comparisonOperator\":\"" +
           op + "\",\"durationSeconds\":300,\"value\":{\"count\":" + std::to_string(limit) + "}}},";
  };
  auto window = [&](const char* name, const char* metric) {
    if (kinds == Kinds::kStatic) return count(name, metric, "less-than-equals", 1000000);
    return std::string("{\"name\":\"") + name + "\",\"metric\":\"" + metric + "\",\"criteria\":{\"comparisonOperator\":"
           "\"less-than-equals\",\"durationSeconds\":300,\"statisticalThreshold\":{\"statistic\":\"p99.9\"}}},";
  };
  auto number = [&](const char* name) {
    if (kinds != Kinds::kMixed) return count(name, name, "less-than", 101);
    return std::string("{\"name\":\"") + name + "\",\"metric\":\"" + name + "\",\"criteria\":{\"mlDetectionConfig\":{"
           "\"confidenceLevel\":\"HIGH\"},\"consecutiveDatapointsToAlarm\":1,\"consecutiveDatapointsToClear\":1}},";
  };
  return count("out", "aws:all-bytes-out", "less-than", 1000000) + window("in", "aws:all-bytes-in") +
         window("packets", "aws:all-packets-out") +
         count("tcp", "aws:num-listening-tcp-ports", "less-than", 100) +
         count("udp", "aws:num-listening-udp-ports", "less-than", 100) +
         count("conns", "aws:num-established-tcp-connections", "less-than", 1000) + number("cpu") +
         number("mem") +
         "{\"name\":\"ports\",\"metric\":\"aws:listening-tcp-ports\",\"criteria\":{\"comparisonOperator\":\"not-in-port-set\","
         "\"value\":{\"ports\":[23,4444,6667]}}},{\"name\":\"dest\",\"metric\":\"aws:destination-ip-addresses\",\"criteria\":{"
         "\"comparisonOperator\":\"not-in-cidr-set\",\"value\":{\"cidrs\":[" + cidrs + "]}}}";
}

/// Ten mixed behaviors, half of them on the broker's counters: for bytes of state, and the cost of a bucket's end.
constexpr char kMixed[] = R"(
{"name":"out","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":1000000}}},
{"name":"hour","metric":"aws:all-packets-out","criteria":{"comparisonOperator":"less-than","durationSeconds":3600,"value":{"count":1000000}}},
{"name":"tcp","metric":"aws:num-listening-tcp-ports","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":100}}},
{"name":"ports","metric":"aws:listening-tcp-ports","criteria":{"comparisonOperator":"not-in-port-set","value":{"ports":[23]}}},
{"name":"cpu","metric":"cpu","criteria":{"comparisonOperator":"less-than","value":{"number":101}}},
{"name":"sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":1000}}},
{"name":"recv","metric":"aws:num-messages-received","criteria":{"comparisonOperator":"less-than","durationSeconds":3600,"value":{"count":1000}}},
{"name":"auth","metric":"aws:num-authorization-failures","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":10}}},
{"name":"size","metric":"aws:message-byte-size","criteria":{"comparisonOperator":"less-than","value":{"count":100000}}},
{"name":"off","metric":"aws:disconnect-duration","criteria":{"comparisonOperator":"less-than","value":{"count":600}}})";

detect::ProfileConfig Profile(const std::string& behaviors) {
  detect::ProfileConfig config;
  auto parsed = model::ParseSecurityProfile("{\"securityProfileName\":\"bench\",\"behaviors\":[" + behaviors + "]}");
  if (!parsed.ok()) {
    std::printf("profile: %s\n", parsed.error().ToString().c_str());
    std::exit(1);
  }
  config.profile = std::move(*parsed);
  config.definition_versions.assign(config.profile.behaviors.size(), 1);
  config.targets = {{model::ProfileTarget::Kind::kAllThings, {}}};
  return config;
}

report::MetricReport MakeReport() {
  report::MetricReport report;
  report.network = {static_cast<std::int64_t>(Random() % 5000), static_cast<std::int64_t>(Random() % 5000),
                    static_cast<std::int64_t>(Random() % 50), static_cast<std::int64_t>(Random() % 50)};
  for (int i = 0; i < 8; ++i) report.tcp.Add(static_cast<std::uint16_t>(7000 + Random() % 1000));
  report.tcp.Finish();
  report.tcp.total = 8;
  for (int i = 0; i < 4; ++i) report.udp.Add(static_cast<std::uint16_t>(7000 + Random() % 1000));
  report.udp.Finish();
  report.udp.total = 4;
  report.connections.listed = true;
  for (int i = 0; i < 6; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "10.%d.%d.%d", static_cast<int>(Random() % 256), static_cast<int>(Random() % 256),
                  static_cast<int>(Random() % 256));
    report.connections.remotes.push_back({*model::IpAddress::Parse(text), 443});
  }
  report.connections.total = 6;
  const char* names[] = {"temp", "disk", "cpu", "mem", "load", "users", "procs"};
  for (const char* name : names) {
    report.custom.Begin(name, model::CustomMetricType::kNumber);
    report.custom.AddNumber(static_cast<double>(Random() % 100));
  }
  return report;
}

// --- the floor ------------------------------------------------------------------------------------------------------

struct FloorThing {
  std::int64_t last_report = 0;
  std::int64_t sums[3] = {};
  std::uint32_t covered[3] = {};
  struct Rule {
    std::int64_t first = 0;
    double last = 0;
    std::uint32_t seen = 0;
    std::uint8_t violating = 0, conforming = 0, alarm = 0;
  } rules[10];
};

struct Floor {
  Floor(std::size_t count, Kinds kinds)
      : statistical(kinds != Kinds::kStatic), ml(kinds == Kinds::kMixed), things(count), bitmap(1024) {
    if (ml) models.resize(2 * count);
    for (auto& histogram : histograms) histogram.resize(4096);
    for (int port : {23, 4444, 6667}) bitmap[static_cast<std::size_t>(port) / 64] |= 1ULL << (port % 64);
  }
  void Count(FloorThing::Rule& rule, bool holds, double value, std::int64_t now) {
    rule.last = value;
    rule.seen = static_cast<std::uint32_t>(now / 1000);
    if (holds) {
      rule.violating = 0;
      if (++rule.conforming >= 1 && rule.alarm) rule.alarm = 0;
    } else {
      rule.conforming = 0;
      if (rule.violating++ == 0) rule.first = now;
      if (!rule.alarm) rule.alarm = 1, ++alarms;
    }
  }
  void OnReport(std::size_t index, const report::MetricReport& r, std::int64_t now) {
    FloorThing& t = things[index];
    std::int64_t elapsed = now - t.last_report;
    t.last_report = now;
    const std::int64_t deltas[3] = {*r.network.bytes_out, *r.network.bytes_in, *r.network.packets_out};
    for (int i = 0; i < 3; ++i) {
      t.sums[i] += deltas[i];
      t.covered[i] += static_cast<std::uint32_t>(elapsed);
      if (t.covered[i] < 270000) continue;
      bool compared = statistical && i > 0;
      if (compared) ++histograms[i - 1][static_cast<std::size_t>(std::min<std::int64_t>(t.sums[i] / 2, 4095))];
      Count(t.rules[i], t.sums[i] <= (compared ? limits[i - 1] : 1000000), static_cast<double>(t.sums[i]), now);
      t.sums[i] = t.covered[i] = 0;
    }
    Count(t.rules[3], *r.tcp.total < 100, static_cast<double>(*r.tcp.total), now);
    Count(t.rules[4], *r.udp.total < 100, static_cast<double>(*r.udp.total), now);
    Count(t.rules[5], *r.connections.total < 1000, static_cast<double>(*r.connections.total), now);
    for (std::size_t i : {std::size_t{2}, std::size_t{3}}) {
      double value = r.custom[i].number();
      bool holds = value < 101;
      if (ml) holds = detect::ml::Update(models[2 * index + i - 2], now / 1000, value, 300, detect::ml::Alarm::kNone).score < 0.95f;
      Count(t.rules[4 + i], holds, value, now);
    }
    unsigned bad = 0;
    for (std::uint16_t p : r.tcp.ports) bad += bitmap[p >> 6] >> (p & 63) & 1;
    Count(t.rules[8], bad == 0, static_cast<double>(bad), now);
    bad = 0;
    for (const auto& remote : r.connections.remotes) {
      const auto& b = remote.address.bytes;
      std::uint32_t a = static_cast<std::uint32_t>(b[12]) << 24 | static_cast<std::uint32_t>(b[13]) << 16 |
                        static_cast<std::uint32_t>(b[14]) << 8 | b[15];
      auto at = std::upper_bound(ranges.begin(), ranges.end(), std::make_pair(a, 0xffffffffU));
      bad += at != ranges.begin() && std::prev(at)->second >= a;
    }
    Count(t.rules[9], bad == 0, static_cast<double>(bad), now);
  }
  void CloseWindow() {
    for (std::size_t i = 0; i < 2; ++i) {
      std::uint64_t all = 0, below = 0;
      for (std::uint32_t n : histograms[i]) all += n;
      std::size_t bin = 0;
      while (bin < 4095 && below * 1000 < all * 999) below += histograms[i][bin++];
      limits[i] = static_cast<std::int64_t>(bin) * 2;
      std::fill(histograms[i].begin(), histograms[i].end(), 0);
    }
  }
  bool statistical, ml;
  std::vector<FloorThing, HugePageAllocator<FloorThing>> things;
  std::vector<detect::ml::Series> models;
  std::vector<std::uint32_t> histograms[2];
  std::int64_t limits[2] = {1000000, 1000000};
  std::vector<std::uint64_t> bitmap;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  std::uint64_t alarms = 0;
};

model::EntityId EntityAt(std::size_t i) {
  std::uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
  x ^= x >> 31;
  return {x * 0xbf58476d1ce4e5b9ULL, x * 0x94d049bb133111ebULL};
}
std::string NameAt(std::size_t i) {
  char name[32];
  std::snprintf(name, sizeof name, "device-%08zu", i);
  return name;
}

std::unique_ptr<detect::Engine> MakeEngine(CountingSink& sink, const std::string& behaviors, std::size_t things) {
  detect::Options options;
  options.account = model::AccountId("123456789012");
  options.sha256 = AnyDigest;
  auto engine = std::make_unique<detect::Engine>(options, sink);
  engine->SetCustomMetric({model::CustomMetricName("cpu"), 64, model::CustomMetricType::kNumber}, FromMillis(kStart));
  engine->SetCustomMetric({model::CustomMetricName("mem"), 65, model::CustomMetricType::kNumber}, FromMillis(kStart));
  engine->SetProfile(Profile(behaviors), FromMillis(kStart));
  engine->OnWatermark(FromMillis(kStart));
  for (std::size_t i = 0; i < things; ++i) {
    engine->SetThing({EntityAt(i), model::ThingName(NameAt(i)), true, {model::ThingGroupName("all")}}, FromMillis(kStart));
  }
  return engine;
}

double HeapBytes() {
  struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd + MappedBytes());
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The events' loop as a shard has it: the things that come next are told some events before.
void GiveReports(detect::Engine& engine, const std::vector<std::uint32_t>& order,
                 const std::vector<report::MetricReport>& pool, std::int64_t now) {
  constexpr std::size_t kStep = 4;
  auto foresee = [&](std::size_t i, Ahead ahead) {
    if (i < order.size()) engine.Prefetch(EntityAt(order[i]), ahead);
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    foresee(i + 3 * kStep, Ahead::kEntry);
    foresee(i + 2 * kStep, Ahead::kState);
    foresee(i + kStep, Ahead::kContents);
    engine.OnReport({{EntityAt(order[i]), "x"}, FromMillis(now), &pool[i & 511]});
  }
}

void EndWindow(detect::Engine& engine, std::int64_t now) {
  engine.OnWatermark(FromMillis(now));
  for (const detect::WindowSummary& summary : engine.PendingSummaries()) engine.OnWindowSummary(summary);
}

void BenchReports(std::size_t things, std::size_t reports, Kinds kinds) {
  auto prefixes = Prefixes(900);
  CountingSink sink;
  auto engine = MakeEngine(sink, DeviceBehaviors(prefixes, kinds), things);
  Floor floor(things, kinds);
  const bool windows = kinds != Kinds::kStatic;
  for (const auto& prefix : prefixes) {
    const auto& b = prefix.address.bytes;
    std::uint32_t a = static_cast<std::uint32_t>(b[12]) << 24 | static_cast<std::uint32_t>(b[13]) << 16 |
                      static_cast<std::uint32_t>(b[14]) << 8;
    floor.ranges.emplace_back(a, a | 255);
  }
  std::sort(floor.ranges.begin(), floor.ranges.end());
  std::vector<report::MetricReport> pool;
  for (int i = 0; i < 512; ++i) pool.push_back(MakeReport());
  // Each thing once if there are enough reports, as in a window of a fleet.
  std::vector<std::uint32_t> order(reports);
  for (std::size_t i = 0; i < reports; ++i) order[i] = static_cast<std::uint32_t>(i % things);
  for (std::size_t i = reports; i-- > 1;) std::swap(order[i], order[Random() % (i + 1)]);

  std::vector<double> ours, floors, ratios;
  std::int64_t now = kStart;
  constexpr int kPairs = 7;
  for (int round = 0; round < kPairs + 1; ++round) {
    now += 300'000;
    double t0 = CpuNow();
    GiveReports(*engine, order, pool, now);
    if (windows) EndWindow(*engine, now + 1);
    double t1 = CpuNow();
    for (std::size_t i = 0; i < reports; ++i) floor.OnReport(order[i], pool[i & 511], now);
    if (windows) floor.CloseWindow();
    double t2 = CpuNow();
    if (round == 0) continue;  // first touch of the pages
    ours.push_back((t1 - t0) / static_cast<double>(reports) * 1e6);
    floors.push_back((t2 - t1) / static_cast<double>(reports) * 1e6);
    ratios.push_back((t1 - t0) / (t2 - t1));
  }
  auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("report, 10 behaviors%s, %zu things in random order: engine %.3f us, plain loop %.3f us, ratio %.2f (%.2f-%.2f)\n",
              kinds == Kinds::kMixed ? " (2 statistical, 2 ML; window's end included)"
              : windows              ? " (2 statistical; window's end included)"
                                     : "",
              things, Median(ours), Median(floors), Median(ratios), *low, *high);
  std::printf("  evaluations %llu, events %llu, alarms of the floor %llu%s\n",
              static_cast<unsigned long long>(engine->stats().evaluations), static_cast<unsigned long long>(sink.events),
              static_cast<unsigned long long>(floor.alarms), windows ? "" : " (must both be 0)");
}

void BenchState(std::size_t things) {
  double before = HeapBytes();
  CountingSink sink;
  auto engine = MakeEngine(sink, kMixed, things);
  double heap = HeapBytes() - before;
  std::printf("state, 10 mixed behaviors, %zu things: %.0f bytes a thing of heap (engine's own count %.0f)\n", things,
              heap / static_cast<double>(things), static_cast<double>(engine->stats().state_bytes) / static_cast<double>(things));

  report::MetricReport report = MakeReport();
  for (std::size_t i = 0; i < things; ++i) {
    engine->OnConnection({{EntityAt(i), "x"}, FromMillis(kStart + 1000), 1});
    engine->OnReport({{EntityAt(i), "x"}, FromMillis(kStart + 2000), &report});
  }
  double cpu = 0;
  std::uint64_t judged = engine->stats().evaluations;
  constexpr int kBuckets = 5;
  for (int bucket = 1; bucket <= kBuckets; ++bucket) {
    double start = CpuNow();
    engine->OnWatermark(FromMillis(kStart + bucket * 300'000));
    cpu += CpuNow() - start;
  }
  judged = engine->stats().evaluations - judged;
  std::printf("bucket's end, 5 of these behaviors: %.0f ns a thing, %.1f ns a thing and rule (%llu evaluations)\n",
              cpu / kBuckets / static_cast<double>(things) * 1e9, cpu / static_cast<double>(judged) * 1e9,
              static_cast<unsigned long long>(judged));

  double start = CpuNow();
  std::string bytes;
  std::size_t total = 0;
  for (std::uint32_t slab = 0; slab < 4096; ++slab) {
    bytes.clear();
    engine->SaveSlab(slab, bytes);
    total += bytes.size();
  }
  std::printf("checkpoint of all: %.3f us a thing, %.0f bytes a thing\n", (CpuNow() - start) / static_cast<double>(things) * 1e6,
              static_cast<double>(total) / static_cast<double>(things));
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t things = 100'000, reports = 100'000;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--smoke") == 0) things = 2'000, reports = 4'000;
    if (i + 1 < argc && std::strcmp(argv[i], "--things") == 0) things = static_cast<std::size_t>(std::atol(argv[i + 1]));
    if (i + 1 < argc && std::strcmp(argv[i], "--reports") == 0) reports = static_cast<std::size_t>(std::atol(argv[i + 1]));
    if (i + 1 < argc && std::strcmp(argv[i], "--only") == 0) only = argv[i + 1];
  }
  if (things == 0 || reports == 0) return 1;
  if (only.empty() || only == "static") BenchReports(things, reports, Kinds::kStatic);
  if (only.empty() || only == "statistical") BenchReports(things, reports, Kinds::kStatistical);
  if (only.empty() || only == "mixed") BenchReports(things, reports, Kinds::kMixed);
  if (only.empty() || only == "buckets") BenchState(things);
  return 0;
}
