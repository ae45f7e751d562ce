// registry_scale_bench [THINGS | --smoke]: a million registered things, each with a P-256 certificate (half from requests, half
// registered without CA), a group and attributes. Rows of name, value, unit; docs/capacity.md quotes them.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/crypto/private_key.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/fleet_index.h"
#include "fleetward/registry/import.h"
#include "fleetward/registry/policy_publisher.h"
#include "fleetward/registry/registry.h"
#include "fleetward/store/sqlite/database.h"

namespace {

using namespace fleetward;
using SteadyClock = std::chrono::steady_clock;

void Row(const char* name, double value, const char* unit) {
  std::printf("%-52s %12.2f %s\n", name, value, unit);
  std::fflush(stdout);
}

template <class T>
T Must(Result<T> result) {
  if (result.ok()) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().ToString().c_str());
  std::exit(1);
}
void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
  std::exit(1);
}

template <class Fn>
double Timed(Fn&& fn) {
  auto begun = SteadyClock::now();
  fn();
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

double CpuSeconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Median and 99th percentile of single calls, in microseconds.
template <class Fn>
void Latency(const char* name, int calls, Fn&& fn) {
  std::vector<double> took;
  for (int i = 0; i < calls; ++i) took.push_back(Timed([&] { fn(i); }) * 1e6);
  std::sort(took.begin(), took.end());
  Row((std::string(name) + ", p50").c_str(), took[took.size() / 2], "us");
  Row((std::string(name) + ", p99").c_str(), took[took.size() * 99 / 100], "us");
}

std::string ThingName(int i) { return "device-" + std::to_string(i); }

}  // namespace

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string_view(argv[1]) == "--smoke";
  const int things = smoke ? 2000 : argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  const int groups = std::max(10, things / 1000), calls = smoke ? 100 : 2000;
  char folder[] = "/var/tmp/fleetward-scale-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  const std::string dir = folder;
  std::mt19937 random(1);
  {
    SystemClock clock;
    model::AccountId account("123456789012");
    auto database = Must(store::sqlite::Database::Open({dir + "/control.db"}, clock));
    auto control = database->Account(account);
    auto ca = Must(crypto::CertificateAuthority::Create(clock.Now()));
    auto other_ca = Must(crypto::CertificateAuthority::Create(clock.Now()));
    crypto::KeyGenerator keys{{.max_waiting = 4, .ready_keys = 0}};
    registry::ChangeHub hub;
    registry::Directory directory(account);
    model::Arns arns("us-east-1", account);
    registry::PolicyPublisher publisher({.path = dir + "/policy.snapshot"}, *control, arns);
    CounterRegistry counters;
    registry::Registry registry({*control, clock, arns, {}, hub, publisher}, ca, keys);
    registry::FleetIndex fleet(registry.context(), directory, registry.dynamic_thing_groups, counters);
    hub.Add(directory);
    hub.Add(publisher);
    hub.Add(fleet);
    Must(publisher.Start());
    Must(fleet.Start({}));

    const std::string document =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";
    Must(registry.policies.Create("bench", model::PolicyName("all"), document, {}));
    Must(registry.thing_types.Create("bench", {"Meter", {}, {}, {}}));
    for (int g = 0; g < groups; ++g) {
      Must(registry.thing_groups.Create("bench", {model::ThingGroupName("group-" + std::to_string(g)), {}, {}, {}, {}}));
    }
    auto key = Must(crypto::PrivateKey::GenerateP256());
    std::string csr = Must(crypto::CertificateRequest::MakePem(key, "bench"));
    auto request = Must(crypto::CertificateRequest::FromPem(csr));

    // ---- creation ----
    registry::Importer importer(registry.context(), ca, keys);
    double signing = 0, importing = 0, cpu = 0;
    std::vector<registry::ImportRow> rows;
    for (int next = 0; next < things;) {
      rows.clear();
      signing += Timed([&] {
        for (int i = 0; i < 250 && next < things; ++i, ++next) {
          registry::ImportRow row;
          row.thing_name = ThingName(next);
          row.type = "Meter";
          row.attributes = {{"site", std::to_string(next % 500)}, {"serial", "SN" + std::to_string(next)}};
          row.groups = {"group-" + std::to_string(next % groups)};
          row.policies = {"all"};
          if (next % 2 == 0) {
            row.csr_pem = csr;
          } else {
            row.certificate_pem = Must(other_ca.IssueDevice(request, clock.Now())).Pem();
          }
          rows.push_back(std::move(row));
        }
      });
      double before = CpuSeconds();
      importing += Timed([&] {
        for (const auto& result : Must(importer.Import("bench", rows))) {
          if (!result.error.empty()) Must(Error(Code::kInternal, result.error));
        }
      });
      cpu += CpuSeconds() - before;
      if (next % 100'000 == 0) std::fprintf(stderr, "%d things, %.0f s\n", next, importing);
    }
    Row("things", things, "");
    Row("import: thing, certificate, group, policy", things / importing, "things/s");
    Row("import, CPU of all threads", cpu / things * 1e6, "us/thing");
    double settle = Timed([&] { publisher.Flush(); });
    Row("policy deltas out after the last row", settle * 1e3, "ms");

    // ---- start ----
    registry::Directory loaded(account);
    Row("start: directory", Timed([&] { Must(loaded.Load(*control)); }), "s");
    Row("  directory memory", static_cast<double>(loaded.MemoryBytes()) / things, "bytes/thing");
    {
      double before = ResidentBytes();
      registry::PolicyPublisher second({.path = dir + "/second.snapshot"}, *control, arns);
      Row("start: policy snapshot written", Timed([&] { Must(second.Start()); }), "s");
      Row("  publisher memory (resident growth)", (ResidentBytes() - before) / things, "bytes/thing");
    }
    Row("  snapshot file, mapped by the plugin",
        static_cast<double>(std::filesystem::file_size(dir + "/second.snapshot")) / things, "bytes/thing");
    Row("broker start: read and check the snapshot", Timed([&] {
          Must(policy::SnapshotView::Open(Must(ReadFile(dir + "/second.snapshot", std::size_t{8} << 30))));
        }) * 1e3, "ms");
    double before = ResidentBytes();
    double build = Timed([&] {
      registry::ThingIndexing on;
      on.on = true;
      on.custom_fields = {{"attributes.site", registry::FieldType::kNumber}};
      Must(fleet.Configure("bench", on, {}));
      while (*fleet.StateOf(registry::kThingsIndex) != registry::IndexState::kActive) usleep(10'000);
    });
    Row("start: fleet index built", build, "s");
    Row("  fleet index memory", static_cast<double>(fleet.MemoryBytes()) / things, "bytes/thing");
    Row("  fleet index, resident growth", (ResidentBytes() - before) / things, "bytes/thing");
    Row("control.db", static_cast<double>(std::filesystem::file_size(dir + "/control.db")) / things, "bytes/thing");

    // ---- single calls at that size ----
    auto any = [&] { return static_cast<int>(random() % static_cast<unsigned>(things)); };
    Latency("DescribeThing", calls, [&](int) { Must(registry.things.Describe(model::ThingName(ThingName(any())))); });
    Latency("ListThings, a page of 250", calls / 10, [&](int) {
      registry::PageRequest page{ThingName(any()), 250, false};
      Must(registry.things.List({}, page));
    });
    Latency("ListThings by attribute, a page of 250", calls / 10, [&](int) {
      registry::ThingFilter filter;
      filter.attribute_name = "site";
      filter.attribute_value = std::to_string(random() % 500);
      Must(registry.things.List(filter, {{}, 250, false}));
    });
    Must(registry.thing_groups.Create("bench", {model::ThingGroupName("late"), {}, {}, {}, {}}));
    Latency("AddThingToThingGroup, brokers' deltas out", calls / 10, [&](int i) {
      Must(registry.thing_groups.AddThing("bench", model::ThingGroupName("late"), model::ThingName(ThingName(i))));
    });
    Latency("CreateThing", calls / 10, [&](int i) {
      Must(registry.things.Create("bench", {model::ThingName("late-" + std::to_string(i)), {}, {}, {{"site", "7"}}}));
    });
    Latency("SearchIndex attributes.site:N, 100 names", calls, [&](int) {
      Must(fleet.Search(registry::kThingsIndex, "attributes.site:" + std::to_string(random() % 500), "", 100));
    });
    Latency("SearchIndex of one serial number", calls, [&](int) {
      Must(fleet.Search(registry::kThingsIndex, "attributes.serial:sn" + std::to_string(any()), "", 100));
    });
    Latency("SearchIndex site range AND group NOT prefix", calls / 10, [&](int) {
      Must(fleet.Search(registry::kThingsIndex,
                        "attributes.site:[10 TO 200] thingGroupNames:group-7 NOT thingName:device-1*", "", 100));
    });
    Latency("SearchIndex thingName:*77 (every name looked at)", 10,
            [&](int) { Must(fleet.Search(registry::kThingsIndex, "thingName:*77", "", 100)); });
    Latency("GetStatistics of a number over all things", 20,
            [&](int) { Must(fleet.StatisticsOf(registry::kThingsIndex, "*", "attributes.site")); });
    Latency("policy of all certificates: new version to delta out", smoke ? 1 : 3, [&](int i) {
      std::string changed = document;
      changed.insert(changed.size() - 1, std::string(static_cast<std::size_t>(i) + 1, ' '));
      Must(registry.policies.CreateVersion("bench", model::PolicyName("all"), changed, true));
      publisher.Flush();
    });
    fleet.Stop();
  }
  std::filesystem::remove_all(dir);
  return 0;
}
