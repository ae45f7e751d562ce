#include "control_link.h"

#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/report/edge_command.h"

namespace fleetward::ingest {
namespace {

// A command stays far below the broker's largest packet.
constexpr std::size_t kAnswersBytes = 64 << 10;
constexpr auto kRetainedWait = std::chrono::seconds(1);
// Holds a retained message of the server's own. No wildcard of a device's matches it by its first letter.
constexpr const char* kProbe = "$fleetward/probe";
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

Result<mqtt::ClientOptions> ControlClientOptions(const std::string& socket, const std::string& secret_file,
                                                 const std::string& client_id) {
  FW_ASSIGN(std::string secret, ReadFile(secret_file, 4096));
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  mqtt::ClientOptions options;
  options.unix_socket = socket;
  options.client_id = client_id;
  options.username = "fleetward";
  options.password = std::move(secret);
  options.keep_alive_seconds = 30;
  return options;
}

// The client is made once: threads that Send never see it change.
Status ControlLink::Open() {
  if (!client_) {
    // No device can have such a name.
    FW_ASSIGN(auto options, ControlClientOptions(options_.socket, options_.secret_file, "$fleetward-server"));
    options.version5 = true;
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
  (void)client_->Publish(kProbe, "1", 0, true);
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

Status ControlLink::Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                            const mqtt::Properties& properties) {
  if (!connected()) return Error(Code::kUnavailable, "no broker is connected");
  auto sent = client_->Publish(topic, payload, qos, retain, properties);
  return sent.ok() ? Status() : Status(std::move(sent).error());
}

// Messages come in the order of the subscriptions, so behind the probe's nothing more is to come.
Result<std::map<std::string, std::string>> ControlLink::FetchRetained(const std::vector<std::string>& topics) {
  std::lock_guard one(fetch_mutex_);
  if (!connected()) return Error(Code::kUnavailable, "no broker is connected");
  std::unique_lock lock(retained_mutex_);
  for (const std::string& topic : topics) wanted_[topic];
  auto probe = wanted_.try_emplace(kProbe).first;
  lock.unlock();
  Status sent;
  for (const std::string& topic : topics) {
    if (sent.ok()) sent = Subscribed(topic);
  }
  if (sent.ok()) sent = Subscribed(kProbe);
  lock.lock();
  bool complete =
      sent.ok() && retained_came_.wait_for(lock, kRetainedWait, [&] { return probe->second.has_value(); });
  auto came = std::exchange(wanted_, {});
  lock.unlock();
  for (const auto& [topic, unused] : came) (void)client_->Unsubscribe(topic);
  FW_TRY(sent);
  if (!complete) return Error(Code::kUnavailable, "the broker did not answer");
  std::map<std::string, std::string> found;
  for (auto& [topic, payload] : came) {
    if (payload && topic != kProbe) found.emplace(topic, std::move(*payload));
  }
  return found;
}

// At QoS 0: what waits for room in flight would come late.
Status ControlLink::Subscribed(const std::string& topic) {
  auto sent = client_->Subscribe(topic, 0);
  return sent.ok() ? Status() : Status(std::move(sent).error());
}

void ControlLink::OnMessage(const mqtt::Message& message) {
  if (!message.retain) return;  // published just now, to the subscription of a fetch
  std::lock_guard lock(retained_mutex_);
  auto wanted = wanted_.find(message.topic);
  if (wanted == wanted_.end()) return;
  wanted->second = message.payload;
  if (message.topic == kProbe) retained_came_.notify_all();
}

Status ControlLink::EndSession(const std::string& client_id) {
  struct Ends final : mqtt::Handler {
    bool over = false, connected = false;
    void OnConnect(int code) override { connected = code == 0; }
    void OnDisconnect(const std::string&) override { over = true; }
    void OnMessage(const mqtt::Message&) override {}
    void OnPublished(int) override {}
    void OnSubscribed(int, int) override {}
  } ends;
  FW_ASSIGN(auto options, ControlClientOptions(options_.socket, options_.secret_file, client_id));
  FW_ASSIGN(auto client, mqtt::Client::Create(std::move(options), ends));
  FW_TRY(client->Connect());
  for (int i = 0; i < 200 && !ends.connected && !ends.over; ++i) client->Poll(10);
  if (!ends.connected) return Error(Code::kUnavailable, "the broker did not let go of the session");
  client->Disconnect();
  for (int i = 0; i < 100 && !ends.over; ++i) client->Poll(10);
  return {};
}

bool ControlLink::Command(std::string_view payload) {
  return connected() && client_->Publish(std::string(report::kControlTopic), payload, 0).ok();
}

}  // namespace fleetward::ingest
