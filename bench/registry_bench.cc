// registry_bench [THINGS | --smoke]: the control plane at a fleet's size. Prints rows of name, value, unit; ratios in one run.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/registry/directory.h"
#include "fleetward/registry/import.h"
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

void Row(const char* name, double value, const char* unit) { std::printf("%-54s %12.2f %s\n", name, value, unit); }

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

struct Latencies {
  double p50 = 0, p99 = 0, worst = 0;
};

/// Times `call` again and again while `beside` runs.
template <class Call, class Beside>
Latencies LatencyBeside(Call&& call, Beside&& beside) {
  std::atomic<bool> over = false;
  std::thread other([&] {
    beside();
    over = true;
  });
  std::vector<double> taken;
  while (!over) {
    taken.push_back(Timed(call) * 1e3);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  other.join();
  std::sort(taken.begin(), taken.end());
  return {taken[taken.size() / 2], taken[taken.size() * 99 / 100], taken.back()};
}

void Rows(const std::string& name, const Latencies& l) {
  Row((name + ", p50").c_str(), l.p50, "ms");
  Row((name + ", p99").c_str(), l.p99, "ms");
  Row((name + ", worst").c_str(), l.worst, "ms");
}

/// Several callers at once; a refused one asks again, as clients do.
double CreateKeys(registry::Registry& registry, std::chrono::seconds time, int callers) {
  std::atomic<int> made = 0;
  double passed = Timed([&] {
    std::vector<std::thread> threads;
    auto until = std::chrono::steady_clock::now() + time;
    for (int t = 0; t < callers; ++t) {
      threads.emplace_back([&] {
        while (std::chrono::steady_clock::now() < until) {
          if (registry.certificates.CreateKeysAndCertificate("bench", true).ok()) {
            ++made;
          } else {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
  });
  return made / passed;
}

/// What CreateKeysAndCertificate makes, and what an import and it cost those who call something else meanwhile.
void OthersMeanwhile(registry::Registry& registry, const crypto::CertificateAuthority& ca, crypto::KeyGenerator& keys,
                     bool smoke) {
  const std::chrono::seconds time(smoke ? 1 : 10);
  auto describe = [&] {
    if (!registry.things.Describe(model::ThingName("device-7")).ok()) std::exit(1);
  };
  auto write = [&] {
    if (!registry.things.Update("bench", model::ThingName("device-7"), {.attributes = registry::Attributes{}}).ok()) std::exit(1);
  };
  Rows("DescribeThing alone", LatencyBeside(describe, [&] { std::this_thread::sleep_for(time); }));
  double rate = 0;
  Rows("DescribeThing beside CreateKeysAndCertificate", LatencyBeside(describe, [&] { rate = CreateKeys(registry, time, 8); }));
  Row("CreateKeysAndCertificate, 8 callers", rate, "calls/s");
  Rows("UpdateThing alone", LatencyBeside(write, [&] { std::this_thread::sleep_for(time); }));
  registry::Importer importer(registry.context(), ca, keys);
  auto key = std::move(crypto::PrivateKey::GenerateP256()).value();
  std::string csr = std::move(crypto::CertificateRequest::MakePem(key, "device")).value();
  int next = 0;
  const int batches = smoke ? 2 : 40;
  double importing = 0;
  Rows("UpdateThing beside an import with CSRs", LatencyBeside(write, [&] {
         importing = Timed([&] {
           for (int batch = 0; batch < batches; ++batch) {
             std::vector<registry::ImportRow> rows(250);
             for (auto& row : rows) row = {.thing_name = "imported-" + std::to_string(next++), .csr_pem = csr};
             if (!importer.Import("bench", rows).ok()) std::exit(1);
           }
         });
       }));
  Row("import of things with CSRs beside it", batches * 250 / importing, "things/s");
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

    OthersMeanwhile(registry, ca, keys, smoke);

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
