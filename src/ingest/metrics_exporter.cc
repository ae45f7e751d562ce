#include "metrics_exporter.h"

#include <algorithm>

#include "control_link.h"
#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kMostUnconfirmed = 8;
constexpr int kPollMs = 100;
constexpr std::int64_t kRetryMs = 1000;
constexpr std::int64_t kLastWordMs = 1000;

}  // namespace

MetricsExporter::MetricsExporter(Options options, const Clock& clock, CounterRegistry& counters)
    : options_(std::move(options)),
      clock_(clock),
      published_(counters.AddCounter("fleetward_export_values_total", "Metric values that the broker took for export.")),
      dropped_(counters.AddCounter("fleetward_export_values_dropped_total",
                                   "Metric values that were not exported: too many waited, or one was too large.")),
      batches_(options_.limits) {}

MetricsExporter::~MetricsExporter() { Stop(); }

void MetricsExporter::Add(const std::string& topic, std::string_view item) {
  std::lock_guard lock(mutex_);
  if (stopping_) return dropped_.Add();
  dropped_.Add(batches_.Add(topic, item, clock_.MonotonicMillis()));
  if (thread_.joinable()) return;
  thread_ = std::thread([this] {
    NameThisThread("export");
    Run();
  });
}

void MetricsExporter::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void MetricsExporter::Run() {
  std::int64_t until = 0;
  while (true) {
    bool stopping;
    {
      std::unique_lock lock(mutex_);
      if (!open_) wake_.wait_for(lock, Millis(kPollMs), [this] { return stopping_; });
      stopping = stopping_;
    }
    const std::int64_t now = clock_.MonotonicMillis();
    if (stopping && until == 0) until = now + kLastWordMs;
    if (stopping && (NothingLeft() || now >= until)) break;
    if (!open_ && now >= next_try_ms_) {
      Status opened = Open();
      if (!opened.ok() && !std::exchange(complained_, true)) {
        log::Warning("export-link-down", {{"error", opened.error().ToString()}});
      }
      next_try_ms_ = now + kRetryMs;
    }
    Send(stopping);
    if (open_) client_->Poll(stopping ? 5 : kPollMs);
  }
  if (client_) client_->Disconnect();
  std::lock_guard lock(mutex_);
  std::uint64_t lost = 0;
  for (auto& [id, message] : unconfirmed_) lost += message.values;
  while (auto message = batches_.Take(0, true)) lost += message->values;
  dropped_.Add(lost);
}

bool MetricsExporter::NothingLeft() {
  std::lock_guard lock(mutex_);
  return batches_.empty() && unconfirmed_.empty();
}

Status MetricsExporter::Open() {
  if (!client_) {
    FW_ASSIGN(auto options, ControlClientOptions(options_.socket, options_.secret_file, "$fleetward-export"));
    FW_ASSIGN(client_, mqtt::Client::Create(std::move(options), *this));
  }
  FW_TRY(client_->Connect());
  open_ = true;
  return {};
}

void MetricsExporter::Send(bool all) {
  while (client_ && client_->connected() && unconfirmed_.size() < kMostUnconfirmed) {
    std::optional<ExportMessage> message;
    {
      std::lock_guard lock(mutex_);
      message = batches_.Take(clock_.MonotonicMillis(), all);
    }
    if (!message) return;
    auto sent = client_->Publish(message->topic, message->payload, 1);
    if (sent.ok()) {
      unconfirmed_.emplace_back(*sent, std::move(*message));
    } else if (sent.error().code() == Code::kUnavailable) {
      std::lock_guard lock(mutex_);
      batches_.GiveBack(std::move(*message));
      return;
    } else {
      dropped_.Add(message->values);
      log::Warning("export-refused", {{"error", sent.error().ToString()}});
    }
  }
}

void MetricsExporter::OnConnect(int return_code) {
  if (return_code != 0) return;
  complained_ = false;
  log::Info("export-link-up");
}

// The broker may have taken some of them: those subscribers see twice.
void MetricsExporter::OnDisconnect(const std::string& reason) {
  open_ = false;
  next_try_ms_ = clock_.MonotonicMillis() + kRetryMs;
  if (!std::exchange(complained_, true)) log::Warning("export-link-lost", {{"reason", reason}});
  std::lock_guard lock(mutex_);
  for (; !unconfirmed_.empty(); unconfirmed_.pop_back()) batches_.GiveBack(std::move(unconfirmed_.back().second));
}

void MetricsExporter::OnPublished(int packet_id) {
  auto found = std::find_if(unconfirmed_.begin(), unconfirmed_.end(),
                            [&](const auto& each) { return each.first == packet_id; });
  if (found == unconfirmed_.end()) return;
  published_.Add(found->second.values);
  unconfirmed_.erase(found);
}

}  // namespace fleetward::ingest
