// simulate: a rogue client, and a fleet of reporting devices, over real MQTT with mutual TLS.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

#include "commands.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/file.h"
#include "fleetward/mqtt/client.h"
#include "fleetward/report/encode.h"
#include "local_client.h"

namespace fleetward::app {
namespace {

using Steady = std::chrono::steady_clock;

volatile sig_atomic_t g_interrupted = 0;

void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

std::string RandomText(std::mt19937_64& random, int size) {
  static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string text;
  for (int i = 0; i < size; ++i) text += kLetters[random() % (sizeof kLetters - 1)];
  return text;
}

/// A connection that comes back when it is lost.
class Device : public mqtt::Handler {
 public:
  static Result<std::unique_ptr<Device>> Make(mqtt::ClientOptions options, std::string filter) {
    auto device = std::make_unique<Device>();
    device->filter_ = std::move(filter);
    FW_ASSIGN(device->client_, mqtt::Client::Create(std::move(options), *device));
    FW_TRY(device->client_->Connect());
    return device;
  }

  void Poll(int timeout_ms) {
    client_->Poll(timeout_ms);
    if (down_ && Steady::now() >= retry_) {
      down_ = false;
      if (!client_->Connect().ok()) Retry();
    }
  }
  bool Publish(const std::string& topic, std::string_view payload) {
    bool sent = client_->connected() && client_->Publish(topic, payload, 1).ok();
    sent_ += sent ? 1 : 0;
    return sent;
  }
  bool connected() const { return client_->connected(); }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }
  std::uint64_t accepted() const { return accepted_; }
  const std::string& last_fault() const { return last_fault_; }

  void OnConnect(int return_code) override {
    if (return_code == 0 && !filter_.empty()) [[maybe_unused]] auto id = client_->Subscribe(filter_, 1);
    if (return_code != 0) {
      last_fault_ = "refused (code " + std::to_string(return_code) + "): do the certificate's policies allow this client id?";
    }
  }
  void OnDisconnect(const std::string& reason) override {
    if (!last_fault_.starts_with("refused")) last_fault_ = reason;
    Retry();
  }
  void OnMessage(const mqtt::Message& message) override {
    ++received_;
    if (message.topic.ends_with("/accepted")) ++accepted_;
  }
  void OnPublished(int) override {}
  void OnSubscribed(int, int granted) override {
    if (granted == 128) last_fault_ = "the subscription was refused";
  }

 private:
  void Retry() {
    down_ = true;
    retry_ = Steady::now() + std::chrono::seconds(1);
  }
  std::unique_ptr<mqtt::Client> client_;
  std::string filter_;
  bool down_ = false;
  Steady::time_point retry_;
  std::uint64_t sent_ = 0, received_ = 0, accepted_ = 0;
  std::string last_fault_;
};

mqtt::ClientOptions Options(const Endpoint& endpoint, const std::string& client_id, const std::string& certificate,
                            const std::string& key) {
  mqtt::ClientOptions options;
  options.host = endpoint.mqtt_host;
  options.port = static_cast<std::uint16_t>(endpoint.mqtt_port);
  options.client_id = client_id;
  options.tls = {endpoint.ca, certificate, key, ""};
  return options;
}

Status Rogue(const RogueArguments& arguments) {
  FW_ASSIGN(Endpoint endpoint, ReadEndpoint(DataFolder(arguments.data)));
  FW_ASSIGN(auto device, Device::Make(Options(endpoint, arguments.client_id, arguments.certificate, arguments.key),
                                      arguments.topic));
  std::mt19937_64 random(std::random_device{}());
  auto start = Steady::now();
  auto next = start;
  auto gap = std::chrono::duration_cast<Steady::duration>(
      std::chrono::duration<double>(1 / std::clamp(arguments.per_second, 0.001, 100000.0)));
  auto next_line = start;
  while (g_interrupted == 0) {
    auto now = Steady::now();
    if (arguments.seconds > 0 && now - start >= std::chrono::seconds(arguments.seconds)) break;
    if (now >= next && device->connected()) {
      device->Publish(arguments.topic, RandomText(random, arguments.size));
      next = std::max(next + gap, now - gap);
    }
    if (now >= next_line) {
      std::printf("sent %llu, received %llu%s%s\n", static_cast<unsigned long long>(device->sent()),
                  static_cast<unsigned long long>(device->received()), device->connected() ? "" : ", not connected: ",
                  device->connected() ? "" : device->last_fault().c_str());
      std::fflush(stdout);
      next_line = now + std::chrono::seconds(10);
    }
    auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - Steady::now()).count();
    device->Poll(static_cast<int>(std::clamp<std::int64_t>(wait, 1, 200)));
  }
  std::printf("sent %llu, received %llu\n", static_cast<unsigned long long>(device->sent()),
              static_cast<unsigned long long>(device->received()));
  return {};
}

// What a quiet device of the demonstration reports, and what a rogue one does.
report::MetricReport SyntheticReport(std::mt19937_64& random, int interval, bool rogue) {
  report::MetricReport r;
  r.report_id = static_cast<std::uint64_t>(ToMillis(SystemClock().Now()));
  auto about = [&](std::int64_t mean) { return mean * interval / 10 + static_cast<std::int64_t>(random() % 200); };
  r.network.bytes_in = about(4000);
  r.network.bytes_out = about(2500) * (rogue ? 400 : 1);
  r.network.packets_in = about(40);
  r.network.packets_out = about(30) * (rogue ? 300 : 1);
  for (std::uint16_t port : {22, 8883}) r.tcp.Add(port);
  if (rogue) r.tcp.Add(31337);
  r.tcp.Finish();
  r.tcp.total = static_cast<std::int64_t>(r.tcp.ports.size());
  r.udp.Add(68);
  r.udp.Finish();
  r.udp.total = 1;
  r.connections.listed = true;
  r.connections.remotes.push_back({*model::IpAddress::Parse("192.0.2.10"), 8883});
  if (rogue) r.connections.remotes.push_back({*model::IpAddress::Parse("203.0.113.66"), 4444});
  r.connections.total = static_cast<std::int64_t>(r.connections.remotes.size());
  return r;
}

struct FleetMember {
  std::string name;
  std::unique_ptr<Device> device;
  Steady::time_point next;
  bool first = true;
};

Result<std::vector<FleetMember>> MakeFleet(const FleetArguments& arguments, const Endpoint& endpoint) {
  std::vector<FleetMember> fleet;
  std::string root = Absolute(arguments.devices);
  FW_ASSIGN(LocalClient client, LocalClient::Open(DataFolder(arguments.data)));
  for (int i = 1; i <= arguments.things; ++i) {
    FleetMember member;
    char number[16];
    std::snprintf(number, sizeof number, "%03d", i);
    member.name = arguments.prefix + number;
    std::string folder = root + '/' + member.name;
    if (access((folder + "/certificate.pem").c_str(), R_OK) != 0) {
      FW_TRY(Provision({member.name, arguments.data, folder, ""}));
    }
    if (!arguments.group.empty()) {
      nlohmann::json body = {{"thingGroupName", arguments.group}, {"thingName", member.name}};
      FW_TRY(client.Call("PUT", "/thing-groups/addThingToThingGroup", body.dump()));
    }
    FW_ASSIGN(member.device, Device::Make(Options(endpoint, member.name, folder + "/certificate.pem",
                                                  folder + "/private.key"),
                                          "$aws/things/" + member.name + "/defender/metrics/json/accepted"));
    member.next = Steady::now() + std::chrono::milliseconds(arguments.interval_seconds * 1000 * i / arguments.things);
    fleet.push_back(std::move(member));
  }
  return fleet;
}

Status Fleet(const FleetArguments& arguments) {
  FW_ASSIGN(Endpoint endpoint, ReadEndpoint(DataFolder(arguments.data)));
  FW_ASSIGN(auto fleet, MakeFleet(arguments, endpoint));
  if (fleet.empty()) return Error(Code::kInvalidArgument, "--things must be at least 1");
  std::mt19937_64 random(std::random_device{}());
  auto start = Steady::now();
  auto next_line = start;
  bool told = false;
  while (g_interrupted == 0) {
    auto now = Steady::now();
    if (arguments.seconds > 0 && now - start >= std::chrono::seconds(arguments.seconds)) break;
    bool turned = arguments.rogue_after_seconds > 0 && now - start >= std::chrono::seconds(arguments.rogue_after_seconds);
    if (turned && !told) {
      std::printf("%s turns rogue now\n", fleet.front().name.c_str());
      told = true;
    }
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      FleetMember& member = fleet[i];
      member.device->Poll(0);
      if (now < member.next) continue;
      report::MetricReport r = SyntheticReport(random, arguments.interval_seconds, turned && i == 0);
      if (member.first) r.network = {};
      std::string payload;
      report::EncodeReport(r, report::Format::kJson, report::Names::kLong, payload);
      if (member.device->Publish("$aws/things/" + member.name + "/defender/metrics/json", payload)) member.first = false;
      member.next += std::chrono::seconds(arguments.interval_seconds);
      member.next = std::max(member.next, now);
    }
    if (now >= next_line) {
      std::uint64_t sent = 0, accepted = 0, connected = 0;
      for (const auto& member : fleet) {
        sent += member.device->sent();
        accepted += member.device->accepted();
        connected += member.device->connected() ? 1 : 0;
      }
      std::printf("%llu of %zu things connected, %llu reports sent, %llu accepted\n",
                  static_cast<unsigned long long>(connected), fleet.size(), static_cast<unsigned long long>(sent),
                  static_cast<unsigned long long>(accepted));
      std::fflush(stdout);
      next_line = now + std::chrono::seconds(10);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

}  // namespace

int RunRogue(const RogueArguments& arguments) {
  CatchSignals();
  Status done = Rogue(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

int RunFleet(const FleetArguments& arguments) {
  CatchSignals();
  Status done = Fleet(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

}  // namespace fleetward::app
