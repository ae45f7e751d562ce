#include "agent.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "fleetward/base/clock.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "memory.h"
#include "publisher.h"
#include "sampler.h"

namespace fleetward::agent {
namespace {

constexpr std::int64_t kLastAnswerMs = 2000;  // how long the end waits for an answer that is under way

class MqttConnection : public Connection {
 public:
  void Use(mqtt::Client* client) { client_ = client; }
  Status Connect() override { return client_->Connect(); }
  void Disconnect() override { client_->Disconnect(); }
  bool connected() const override { return client_->connected(); }
  Result<int> Publish(const std::string& topic, std::string_view payload) override {
    return client_->Publish(topic, payload, 1);
  }
  Result<int> Subscribe(const std::string& filter) override { return client_->Subscribe(filter, 1); }

 private:
  mqtt::Client* client_ = nullptr;
};

// SIGTERM and SIGINT as a descriptor, so that they cannot interrupt anything halfway.
Result<Fd> TakeSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoError(errno, "signalfd");
  return fd;
}

bool Signalled(const Fd& signals) {
  signalfd_siginfo info;
  return read(signals.get(), &info, sizeof info) == sizeof info;
}

mqtt::ClientOptions MqttOptions(const AgentOptions& options) {
  mqtt::ClientOptions mqtt;
  mqtt.host = options.endpoint;
  mqtt.port = static_cast<std::uint16_t>(options.port);
  mqtt.client_id = options.client_id;
  mqtt.keep_alive_seconds = static_cast<int>(options.keep_alive_seconds);
  mqtt.tls = {options.root_ca, options.certificate, options.key, options.port == 443 ? "x-amzn-mqtt-ca" : ""};
  return mqtt;
}

PublisherOptions DeliveryOptions(const AgentOptions& options) {
  PublisherOptions delivery;
  delivery.thing = options.thing();
  delivery.format = options.format == "cbor" ? report::Format::kCbor : report::Format::kJson;
  delivery.names = options.short_names ? report::Names::kShort : report::Names::kLong;
  delivery.answer_timeout_ms = options.answer_timeout_seconds * 1000;
  delivery.reconnect_max_ms = options.reconnect_max_seconds * 1000;
  delivery.interval_ms = options.interval_seconds * 1000;
  return delivery;
}

std::optional<Spool> OpenSpool(const AgentOptions& options) {
  std::string folder = SpoolFolder(options);
  if (folder.empty() || options.spool_max_bytes == 0) return std::nullopt;
  Result<Spool> spool = Spool::Open(folder, static_cast<std::uint64_t>(options.spool_max_bytes));
  if (!spool.ok()) {
    log::Warning("agent.no_spool", {{"folder", folder}, {"reason", spool.error().ToString()}});
    return std::nullopt;
  }
  log::Info("agent.spool", {{"folder", folder}, {"reports", spool->size()}, {"damaged", spool->corrupt()}});
  return std::move(*spool);
}

int Fail(const Error& error) {
  log::Error("agent.cannot_start", {{"reason", error.ToString()}});
  return 1;
}

class Agent {
 public:
  Agent(const AgentOptions& options, std::unique_ptr<Collector> collector, std::optional<Spool> spool)
      : options_(options),
        sampler_(options, std::move(collector), MakeCustomMetrics(options)),
        spool_(std::move(spool)),
        publisher_(DeliveryOptions(options), clock_, connection_, spool_ ? &*spool_ : nullptr,
                   [this](const report::MetricReport& refused) { sampler_.NotTaken(refused); }) {}

  Status Open() {
    FW_ASSIGN(client_, mqtt::Client::Create(MqttOptions(options_), publisher_));
    connection_.Use(client_.get());
    return {};
  }

  void Run(const Fd& signals) {
    // The first report goes as soon as the connection stands, or to the spool when it does not come about.
    std::int64_t first_deadline = clock_.MonotonicMillis() + options_.answer_timeout_seconds * 1000;
    std::int64_t next = 0;
    std::int64_t done = 0;
    bool trimmed = false;
    while (!Signalled(signals)) {
      std::int64_t wait = publisher_.Step();
      std::int64_t now = clock_.MonotonicMillis();
      std::int64_t due = next == 0 ? (client_->connected() ? now : first_deadline) : next + publisher_.throttle_ms();
      bool finished = options_.count != 0 && done >= options_.count;
      if (finished && !publisher_.Waiting()) break;
      if (!finished && now >= due) {
        Sample();
        ++done;
        next = NextSample(due, now);
        continue;
      }
      if (!client_->connected()) trimmed = false;
      if (client_->connected() && done > 0 && !std::exchange(trimmed, true)) ReleaseUnusedMemory();
      std::int64_t keep_alive = options_.keep_alive_seconds * 250;
      std::int64_t nap = finished ? std::min(wait, keep_alive) : std::min({wait, due - now, keep_alive});
      client_->Poll(static_cast<int>(std::clamp<std::int64_t>(nap, 0, 60000)), signals.get());
    }
    End();
  }

 private:
  void Sample() {
    report_.report_id = publisher_.NextReportId();
    sampler_.Take(report_);
    publisher_.Submit(report_);
  }
  // Keeps the rhythm; intervals missed in a pause are not made up for.
  std::int64_t NextSample(std::int64_t due, std::int64_t now) const {
    std::int64_t interval = options_.interval_seconds * 1000;
    std::int64_t next = due + interval;
    return next > now ? next : now + interval;
  }
  void End() {
    std::int64_t deadline = clock_.MonotonicMillis() + kLastAnswerMs;
    while (client_->connected() && publisher_.Waiting() && clock_.MonotonicMillis() < deadline) client_->Poll(100);
    publisher_.SpoolPending();
    client_->Disconnect();
    log::Info("agent.stopped");
  }

  const AgentOptions& options_;
  SystemClock clock_;
  MqttConnection connection_;
  Sampler sampler_;
  std::optional<Spool> spool_;
  Publisher publisher_;
  std::unique_ptr<mqtt::Client> client_;
  report::MetricReport report_;
};

}  // namespace

std::string SpoolFolder(const AgentOptions& options) {
  std::string base = options.spool_directory;
  if (base.empty()) return {};
  if (base == "auto") {
    const char* state = getenv("STATE_DIRECTORY");  // set by systemd
    const char* xdg = getenv("XDG_STATE_HOME");
    const char* home = getenv("HOME");
    if (state != nullptr && *state == '/') {
      base = state;
    } else if (geteuid() == 0) {
      base = "/var/lib/fleetward-agent";
    } else if (xdg != nullptr && *xdg == '/') {
      base = std::string(xdg) + "/fleetward-agent";
    } else if (home != nullptr && *home == '/') {
      base = std::string(home) + "/.local/state/fleetward-agent";
    } else {
      return {};
    }
  }
  // A thing's name may hold anything a file name may not. Two brokers may know two things of one name.
  return base + "/spool/" + PercentEncode(options.endpoint) + "-" + std::to_string(options.port) + "/" +
         (options.thing().starts_with('.') ? "thing-" : "") + PercentEncode(options.thing());
}

int RunAgent(const AgentOptions& options) {
  Result<Fd> signals = TakeSignals();
  if (!signals.ok()) return Fail(signals.error());
  Result<std::unique_ptr<Collector>> collector = MakeCollector(options);
  if (!collector.ok()) return Fail(collector.error());
  Agent agent(options, std::move(*collector), OpenSpool(options));
  Status opened = agent.Open();
  if (!opened.ok()) return Fail(opened.error());
  agent.Run(*signals);
  return 0;
}

int RunDry(const AgentOptions& options) {
  Result<Fd> signals = TakeSignals();
  if (!signals.ok()) return Fail(signals.error());
  Result<std::unique_ptr<Collector>> collector = MakeCollector(options);
  if (!collector.ok()) return Fail(collector.error());
  Sampler sampler(options, std::move(*collector), MakeCustomMetrics(options));
  report::Names names = options.short_names ? report::Names::kShort : report::Names::kLong;
  report::MetricReport report;
  std::string text;
  std::uint64_t report_id = 0;
  for (std::int64_t done = 0;;) {
    report_id = std::max(report_id + 1, static_cast<std::uint64_t>(ToMillis(SystemClock().Now()) / 1000));
    report.report_id = report_id;
    sampler.Take(report);
    report::EncodeReport(report, report::Format::kJson, names, text);
    text += '\n';
    if (fwrite(text.data(), 1, text.size(), stdout) != text.size() || fflush(stdout) != 0) return 1;
    if (options.format == "cbor") {
      report::EncodeReport(report, report::Format::kCbor, names, text);
      Status written = WriteFileAtomic("./cbor_metrics", text);
      if (!written.ok()) return Fail(written.error());
    }
    if (++done == options.count) return 0;
    pollfd wait{signals->get(), POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(options.interval_seconds * 1000)) > 0) return 0;
  }
}

}  // namespace fleetward::agent
