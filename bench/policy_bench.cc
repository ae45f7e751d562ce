// Cost of decisions at the broker and of the snapshot. Decide rows print ns a decision; "floor" is one comparison of
// the ARN with a literal, in the same run. Snapshot rows print bytes a thing (certificate and thing). With --smoke alone
// the decisions only, and briefly.
#include <benchmark/benchmark.h>

#include "fleetward/policy/device_session.h"
#include "fleetward/policy/document.h"
#include "fleetward/policy/snapshot_builder.h"

namespace fleetward::policy {
namespace {

constexpr Timestamp kNow = FromMillis(1'795'000'000'000);
constexpr const char* kTopic = "$aws/things/device-0000042/defender/metrics/json";

std::string LeastPrivilege() {
  return CompilePolicy("device", R"({"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
    {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":
      "arn:aws:iot:us-east-1:123456789012:topic/$aws/things/${iot:Connection.Thing.ThingName}/defender/metrics/*"},
    {"Effect":"Allow","Action":"iot:Subscribe","Resource":
      "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/defender/metrics/*"}]})")
      ->body;
}

std::string TwelveWildcards() {
  std::string list;
  for (int i = 0; i < 12; ++i) {
    list += (i == 0 ? "\"" : ",\"") + std::string("arn:aws:iot:us-east-1:123456789012:topic/*/site") +
            std::to_string(i) + "/*/metrics/*\"";
  }
  return CompilePolicy("wild", R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":[)" +
                                   list + "]}}")->body;
}

Fingerprint Print(std::uint64_t n) {
  Fingerprint fingerprint{};
  for (std::size_t i = 0; i < fingerprint.size(); ++i) {
    n = n * 6364136223846793005 + 1442695040888963407;
    fingerprint[i] = static_cast<std::uint8_t>(n >> 56);
  }
  return fingerprint;
}

Result<std::string> BuildFleet(std::uint64_t things) {
  SnapshotBuilder builder({1, "us-east-1", "123456789012"});
  builder.Reserve(things, things);
  builder.AddPolicy({0, "device", LeastPrivilege()});
  builder.AddPolicySet({0, {0}});
  CertificateAttribute cn{CertificateParty::kSubject, CertificateField::kCommonName, "AWS IoT Certificate"};
  CertificateEntry certificate;
  certificate.status = CertificateStatus::kActive;
  certificate.not_after = kNow + std::chrono::hours(1);
  certificate.attributes = EncodeCertificateAttributes({&cn, 1});
  certificate.policy_set = 0;
  ThingEntry thing;
  thing.type = "sensor";
  char name[32];
  for (std::uint64_t i = 0; i < things; ++i) {
    snprintf(name, sizeof(name), "device-%07d", static_cast<int>(i));
    certificate.fingerprint = Print(i);
    certificate.serial.assign(reinterpret_cast<const char*>(certificate.fingerprint.data()), 20);
    certificate.things = {name};
    thing.name = name;
    thing.certificates = {certificate.fingerprint};
    builder.AddCertificate(certificate);
    builder.AddThing(thing);
  }
  return builder.Build(12345);
}

void Floor(benchmark::State& state) {
  std::string a = std::string("arn:aws:iot:us-east-1:123456789012:topic/") + kTopic;
  std::string b = a;
  for (auto _ : state) {
    benchmark::DoNotOptimize(a.data());
    benchmark::DoNotOptimize(a == b);
  }
}
BENCHMARK(Floor);

void DecideBody(benchmark::State& state, const std::string& body, const std::string& topic) {
  Facts facts;
  facts.region = "us-east-1";
  facts.account_id = "123456789012";
  facts.client_id = facts.thing_name = "device-0000042";
  PolicyRef ref{"p", body};
  for (auto _ : state) benchmark::DoNotOptimize(Decide({&ref, 1}, facts, Action::kPublish, topic));
}
void DecideLeastPrivilege(benchmark::State& state) { DecideBody(state, LeastPrivilege(), kTopic); }
void DecideTwelveWildcards(benchmark::State& state) { DecideBody(state, TwelveWildcards(), "a/site11/b/metrics/c"); }
void DecideHostile(benchmark::State& state) {
  std::string glob;
  for (int i = 0; i < 100; ++i) glob += "a*";
  std::string body = CompilePolicy("h", R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",
      "Resource":"arn:aws:iot:us-east-1:123456789012:topic/)" + glob + "b\"}}")->body;
  DecideBody(state, body, std::string(256, 'a'));
}
BENCHMARK(DecideLeastPrivilege);
BENCHMARK(DecideTwelveWildcards);
BENCHMARK(DecideHostile);

void SessionPublish(benchmark::State& state) {
  std::string bytes = *BuildFleet(1000);
  SnapshotState snapshot;
  if (!snapshot.Load(bytes, nullptr).ok()) state.SkipWithError("load");
  DecisionCache cache(1 << 16, 7);
  DeviceRules rules;
  DeviceSession session(snapshot, rules, state.range(0) != 0 ? &cache : nullptr, Print(42), "device-0000042", {});
  for (auto _ : state) {
    if (session.CanPublish(kTopic, false, kNow) != Refusal::kNone) state.SkipWithError("refused");
  }
}
BENCHMARK(SessionPublish)->ArgName("cached")->Arg(0)->Arg(1);

void SnapshotBuild(benchmark::State& state) {
  auto things = static_cast<std::uint64_t>(state.range(0));
  std::size_t size = 0;
  for (auto _ : state) size = BuildFleet(things)->size();
  state.counters["bytes_per_thing"] = static_cast<double>(size) / static_cast<double>(things);
}
BENCHMARK(SnapshotBuild)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond)->Iterations(1);

void SnapshotOpenMillion(benchmark::State& state) {
  std::string bytes = *BuildFleet(1'000'000);
  for (auto _ : state) benchmark::DoNotOptimize(SnapshotView::Open(bytes).ok());
}
BENCHMARK(SnapshotOpenMillion)->Unit(benchmark::kMillisecond)->Iterations(5);

void SessionOpenMillion(benchmark::State& state) {
  std::string bytes = *BuildFleet(1'000'000);
  SnapshotState snapshot;
  if (!snapshot.Load(bytes, nullptr).ok()) state.SkipWithError("load");
  DeviceRules rules;
  std::uint64_t i = 0;
  char name[32];
  for (auto _ : state) {
    i = (i * 7919 + 13) % 1'000'000;
    snprintf(name, sizeof(name), "device-%07d", static_cast<int>(i));
    DeviceSession session(snapshot, rules, nullptr, Print(i), name, {});
    if (session.CanConnect({}, kNow) != Refusal::kNone) state.SkipWithError("refused");
  }
}
BENCHMARK(SessionOpenMillion);

}  // namespace
}  // namespace fleetward::policy

int main(int argc, char** argv) {
  char filter[] = "--benchmark_filter=Floor|Decide|SessionPublish";
  char time[] = "--benchmark_min_time=0.01";
  char* smoke[] = {argv[0], filter, time, nullptr};
  if (argc == 2 && std::string_view(argv[1]) == "--smoke") argc = 3, argv = smoke;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
