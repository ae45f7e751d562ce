#include "control_link.h"

#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/report/edge_command.h"

namespace fleetward::ingest {
namespace {

// A command stays far below the broker's largest packet.
constexpr std::size_t kAnswersBytes = 64 << 10;
// What waits while the broker is away; devices ask again for the answers that are dropped, the oldest.
constexpr std::size_t kHeldCommands = 16;

}  // namespace

ControlLink::ControlLink(Options options, std::function<void()> on_connected, CounterRegistry& counters)
    : options_(std::move(options)),
      on_connected_(std::move(on_connected)),
      answers_sent_(counters.AddCounter("fleetward_answers_total", "Answers published to devices.")),
      answers_lost_(counters.AddCounter("fleetward_answers_lost_total", "Answers lost because the broker was away.")) {}

ControlLink::~ControlLink() { Stop(); }

void ControlLink::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ControlLink::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
  if (client_) {
    client_->Disconnect();
    client_->StopThread();
  }
}

// The client is made once: threads that Send never see it change.
Status ControlLink::Open() {
  if (!client_) {
    FW_ASSIGN(std::string secret, ReadFile(options_.secret_file, 4096));
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    mqtt::ClientOptions options;
    options.unix_socket = options_.socket;
    // No device can have such a name.
    options.client_id = "$fleetward-server";
    options.username = "fleetward";
    options.password = secret;
    options.keep_alive_seconds = 30;
    FW_ASSIGN(client_, mqtt::Client::Create(std::move(options), *this));
    client_->StartThread();
  }
  return client_->Connect();
}

// Connects, and again whenever the broker went away.
void ControlLink::Run() {
  std::unique_lock lock(mutex_);
  bool complained = false;
  while (!stopping_) {
    if (down_) {
      down_ = false;
      lock.unlock();
      Status opened = Open();
      lock.lock();
      if (!opened.ok()) {
        if (!complained) log::Warning("control-link-down", {{"error", opened.error().ToString()}});
        complained = true;
        down_ = true;
      } else {
        complained = false;
      }
    }
    wake_.wait_for(lock, std::chrono::milliseconds(200), [this] { return stopping_; });
  }
}

void ControlLink::OnConnect(int return_code) {
  if (return_code != 0) {
    log::Error("control-link-refused", {{"code", return_code}});
    return;
  }
  connected_.store(true, std::memory_order_release);
  log::Info("control-link-up");
  on_connected_();
  Flush();
}

void ControlLink::OnDisconnect(const std::string& reason) {
  if (connected_.exchange(false)) log::Warning("control-link-lost", {{"reason", reason}});
  std::lock_guard lock(mutex_);
  down_ = true;
}

// Many answers are one command: the broker reads one packet, and the plugin publishes what is in it.
void ControlLink::Send(std::string_view topic, std::string_view payload) {
  std::lock_guard lock(answers_mutex_);
  if (answers_.empty() || answers_.back().publications.size() >= kAnswersBytes) {
    if (!answers_.empty()) FlushAnswers();
    answers_.emplace_back();
  }
  report::AppendPublication({topic, payload}, answers_.back().publications);
  ++answers_.back().count;
}

void ControlLink::Flush() {
  std::lock_guard lock(answers_mutex_);
  FlushAnswers();
}

// Without a broker they wait: a server that starts has answers to give before its link stands.
void ControlLink::FlushAnswers() {
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kPublish;
  for (; !answers_.empty(); answers_.pop_front()) {
    command.messages = answers_.front().publications;
    if (!Command(report::EncodeEdgeCommand(command))) break;
    answers_sent_.Add(answers_.front().count);
  }
  for (; answers_.size() > kHeldCommands; answers_.pop_front()) answers_lost_.Add(answers_.front().count);
}

Status ControlLink::Publish(const std::string& topic, std::string_view payload, int qos, bool retain) {
  if (!connected()) return Error(Code::kUnavailable, "no broker is connected");
  auto sent = client_->Publish(topic, payload, qos, retain);
  return sent.ok() ? Status() : Status(std::move(sent).error());
}

bool ControlLink::Command(std::string_view payload) {
  return connected() && client_->Publish(std::string(report::kControlTopic), payload, 0).ok();
}

}  // namespace fleetward::ingest
