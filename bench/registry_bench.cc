// registry_bench [THINGS | --smoke]: the control plane at a fleet's size. Prints rows of name, value, unit; ratios in one run.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/registry/directory.h"
#include "fleetward/registry/policy_publisher.h"
#include "fleetward/registry/registry.h"
#include "fleetward/store/ordered_key.h"
#include "fleetward/store/sqlite/database.h"

namespace {

using namespace fleetward;
using Seconds = std::chrono::duration<double>;

template <class Fn>
double Timed(Fn&& fn) {
  auto begun = std::chrono::steady_clock::now();
  fn();
  return Seconds(std::chrono::steady_clock::now() - begun).count();
}

void Row(const char* name, double value, const char* unit) { std::printf("%-44s %12.2f %s\n", name, value, unit); }

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
  std::exit(1);
}

double CreateThings(registry::Registry& registry, int first, int count, int threads) {
  std::atomic<int> next = first;
  return Timed([&] {
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        for (int i = next++; i < first + count; i = next++) {
          auto made = registry.things.Create(
              "bench", {model::ThingName("device-" + std::to_string(i)), {}, {}, {{"site", std::to_string(i % 50)}}});
          if (!made.ok()) std::exit(1);
        }
      });
    }
    for (auto& worker : workers) worker.join();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string_view(argv[1]) == "--smoke";
  const int things = smoke ? 1000 : argc > 1 ? std::atoi(argv[1]) : 20'000;
  char folder[] = "/tmp/fleetward-bench-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  const std::string dir = folder;
  {
    SystemClock clock;
    model::AccountId account("123456789012");
    auto database = std::move(store::sqlite::Database::Open({dir + "/control.db"}, clock)).value();
    auto control = database->Account(account);
    auto ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
    crypto::KeyGenerator keys;
    registry::ChangeHub hub;
    registry::Directory directory(account);
    hub.Add(directory);
    registry::NoEnforcement enforcement;
    model::Arns arns("us-east-1", account);
    registry::Registry registry({*control, clock, arns, {}, hub, enforcement}, ca, keys);

    constexpr int kAlone = 500;
    double alone = CreateThings(registry, 0, kAlone, 1) / kAlone;
    auto before = database->stats();
    double shared = CreateThings(registry, kAlone, things - kAlone, 16) / (things - kAlone);
    auto after = database->stats();
    Row("CreateThing, one caller", 1 / alone, "calls/s");
    Row("CreateThing, 16 callers", 1 / shared, "calls/s");
    Row("  ratio of the two", alone / shared, "x");
    Row("  calls per synced commit",
        static_cast<double>(after.writes - before.writes) / static_cast<double>(after.commits - before.commits), "");
    double describe = Timed([&] {
      for (int i = 0; i < things; ++i) {
        if (!registry.things.Describe(model::ThingName("device-" + std::to_string(i))).ok()) std::exit(1);
      }
    });
    Row("DescribeThing", describe / things * 1e6, "us");

    registry::Directory loaded(account);
    double load = Timed([&] { Check(loaded.Load(*control)); });
    Row("Directory load", load / things * 1e6, "us/thing");
    Row("Directory memory", static_cast<double>(loaded.MemoryBytes()) / things, "bytes/thing");
    policy::Fingerprint nobody{};
    std::size_t found = 0;
    double resolve = Timed([&] {
      for (int i = 0; i < things; ++i) {
        found += loaded.Resolve("device-" + std::to_string(i), nobody).registered ? 1 : 0;
      }
    });
    if (found != static_cast<std::size_t>(things)) return 1;
    Row("Directory resolve", resolve / things * 1e9, "ns");

    registry::PolicyPublisher publisher({.path = dir + "/policy.snapshot"}, *control, arns);
    double start = Timed([&] { Check(publisher.Start()); });
    Row("policy snapshot, full", start / things * 1e6, "us/thing");
    Row("policy snapshot, file", static_cast<double>(std::filesystem::file_size(dir + "/policy.snapshot")) / things,
        "bytes/thing");
    Row("control.db", static_cast<double>(std::filesystem::file_size(dir + "/control.db")) / things, "bytes/thing");
  }
  std::filesystem::remove_all(dir);
  return 0;
}
