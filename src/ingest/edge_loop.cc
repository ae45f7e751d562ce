#include "edge_loop.h"

#include <algorithm>

#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"

namespace fleetward::ingest {
namespace {

constexpr Millis kPoll{250};
constexpr Millis kSyncRetry{200};

void SetTime(Record& record, std::int64_t time_ms) {
  std::visit(
      [time_ms](auto& r) {
        if constexpr (requires { r.time_ms; }) r.time_ms = time_ms;
      },
      record);
}

}  // namespace

EdgeLoop::EdgeLoop(bus::FrameListener& listener, store::EventLog& log, FrameConverter& converter, const Clock& clock,
                   Callbacks callbacks, CounterRegistry& counters)
    : listener_(listener),
      log_(log),
      converter_(converter),
      clock_(clock),
      callbacks_(std::move(callbacks)),
      syncs_(counters.AddCounter("fleetward_log_syncs_total", "Group commits of the event log.")),
      sync_failures_(counters.AddCounter("fleetward_log_sync_failures_total", "Group commits that failed.")),
      records_too_large_(counters.AddCounter("fleetward_log_records_too_large_total",
                                             "Records that the event log does not take, left out.")) {}

EdgeLoop::~EdgeLoop() { Stop(); }

void EdgeLoop::Start(std::map<Id128, std::uint64_t> progress, std::int64_t watermark_ms, std::int32_t bucket_seconds) {
  bucket_ms_ = std::int64_t{bucket_seconds} * 1000;
  progress_ = std::move(progress);
  watermark_.Start(watermark_ms);
  thread_ = std::thread([this] {
    NameThisThread("edge-loop");
    Run();
  });
}

void EdgeLoop::Stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  listener_.Wake();
  thread_.join();
}

void EdgeLoop::Configure(std::vector<Record> records) {
  {
    std::lock_guard lock(mutex_);
    for (Record& record : records) configuration_.push_back(std::move(record));
  }
  listener_.Wake();
}

bool EdgeLoop::WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most, std::size_t at_least) {
  std::unique_lock lock(mutex_);
  return applied_changed_.wait_for(lock, at_most, [&] {
    return applied_.size() >= at_least && std::all_of(applied_.begin(), applied_.end(), [&](const auto& edge) { return edge.second >= version; });
  });
}

void EdgeLoop::Run() {
  // The last run may have ended between a watermark and the sums of the windows it closed.
  if (!ExchangeSummaries()) return;
  while (!stopping_) {
    std::int64_t before = clock_.MonotonicMillis();
    auto polled = listener_.Poll(kPoll);
    if (!polled.ok()) {
      log::Error("ingest-socket-failed", {{"error", polled.error().ToString()}});
      std::this_thread::sleep_for(kPoll);
      continue;
    }
    std::int64_t waited = std::min(clock_.MonotonicMillis() - before, kPoll.count());
    batch_ = std::make_shared<LogBatch>();
    TakeConfiguration();
    for (const bus::EdgeBatch& batch : *polled) Take(batch);
    AdvanceWatermark(waited);
    if (batch_->size() > 0 && !MakeDurable()) return;
    if (bucket_ended_ && !exchanging_profiles_.empty() && !ExchangeSummaries()) return;
    bucket_ended_ = false;
    PublishApplied();
  }
}

// Statistical thresholds need all things' values, which live in several shards. Waiting here puts the sums right behind
// the watermark that closed the windows, before any later event: the log decides alike whatever the shards. The wait is
// what the shards need to apply the last batch and close the buckets; meanwhile edges keep their frames.
bool EdgeLoop::ExchangeSummaries() {
  auto summaries = callbacks_.window_summaries();
  if (!summaries) return false;   // a shard was stopped: nothing may come before the sums
  if (summaries->empty()) return true;
  batch_ = std::make_shared<LogBatch>();
  for (detect::WindowSummary& summary : *summaries) Emit(WindowSummaryRecord{std::move(summary)});
  return MakeDurable();
}

void EdgeLoop::Emit(const Record& record) {
  if (auto* set = std::get_if<ProfileSetRecord>(&record)) {
    const std::string& name = set->config.profile.name.value();
    if (detect::NeedsExchange(set->config.profile)) {
      exchanging_profiles_.insert(name);
    } else {
      exchanging_profiles_.erase(name);
    }
  } else if (auto* removed = std::get_if<ProfileRemovedRecord>(&record)) {
    exchanging_profiles_.erase(removed->name.value());
  }
  scratch_.clear();
  EncodeLogRecord(record, scratch_);
  if (scratch_.size() > log_.max_record_bytes()) {
    // It would keep all that follows from the log for good.
    log::Error("record-too-large", {{"type", static_cast<int>(TypeOf(scratch_))}, {"bytes", scratch_.size()}});
    records_too_large_.Add();
    return;
  }
  batch_->Add(scratch_);
}

void EdgeLoop::TakeConfiguration() {
  std::vector<Record> records;
  {
    std::lock_guard lock(mutex_);
    records.swap(configuration_);
  }
  std::int64_t now = std::max(ToMillis(clock_.Now()), watermark_.ms());
  for (Record& record : records) {
    SetTime(record, now);
    Emit(record);
  }
}

void EdgeLoop::OnHello(bus::EdgeConnection connection, const report::HelloFrame& hello) {
  Edge edge;
  edge.plugin_start = hello.plugin_start;
  auto known = progress_.find(hello.plugin_start);
  if (known == progress_.end()) {
    // First, so that the start is told by the new clock. What came before the plugin found this server may be late.
    if (auto step_ms = watermark_.PutBack(hello.event_time_ms)) {
      log::Warning("clock-step", {{"milliseconds", *step_ms}});
      Emit(ClockStepRecord{*step_ms, hello.event_time_ms});
    }
    // Whoever was connected to the broker before was last known to be so at the watermark; the new one may have had
    // clients before it found this server.
    std::int64_t watermark = watermark_.ms();
    std::int64_t last = watermark == 0 ? hello.event_time_ms : std::min(hello.event_time_ms, watermark);
    Emit(EdgeStartRecord{hello.plugin_start, last});
    Emit(EdgeProgressRecord{hello.plugin_start, 0});
    known = progress_.emplace(hello.plugin_start, 0).first;
  }
  edge.seq = known->second;
  log::Info("edge-connected", {{"edge", hello.edge_id}, {"resume_after", edge.seq}, {"next", hello.next_seq}});
  connections_.insert_or_assign(connection, edge);
  watermark_.Join(connection);
  edges_ = static_cast<std::uint32_t>(connections_.size());
  listener_.Welcome(connection, edge.seq);
}

void EdgeLoop::Take(const bus::EdgeBatch& batch) {
  if (batch.hello) OnHello(batch.connection, *batch.hello);
  auto found = connections_.find(batch.connection);
  if (found != connections_.end()) {
    Edge& edge = found->second;
    for (std::size_t i = 0; i < batch.frames.size(); ++i) {
      if (i % FrameConverter::kAnnounced == 0) converter_.Announce(std::span(batch.frames).subspan(i));
      const report::RawFrame& frame = batch.frames[i];
      if (frame.seq <= edge.seq) continue;  // sent again after a reconnect, and in the log already
      auto news = converter_.Convert(frame, [this](const Record& record) { Emit(record); });
      if (!news.ok()) {
        log::Error("edge-frame-corrupt", {{"error", news.error().ToString()}, {"sequence", frame.seq}});
        continue;
      }
      edge.seq = frame.seq;
      edge.fresh = true;
      watermark_.Hear(batch.connection, news->clock_ms, news->step_ms);
      if (news->applied_version != 0) edge.applied = news->applied_version;
      if (news->reload) callbacks_.reload();
    }
    if (edge.fresh) Emit(EdgeProgressRecord{edge.plugin_start, edge.seq});
  }
  if (batch.closed && connections_.erase(batch.connection) > 0) {
    watermark_.Leave(batch.connection);
    edges_ = static_cast<std::uint32_t>(connections_.size());
    log::Warning("edge-lost");
  }
}

void EdgeLoop::AdvanceWatermark(std::int64_t waited_ms) {
  std::int64_t before = watermark_.ms();
  auto moved = watermark_.Advance(waited_ms, ToMillis(clock_.Now()));
  if (!moved) return;
  bucket_ended_ = *moved / bucket_ms_ != before / bucket_ms_;
  Emit(WatermarkRecord{*moved});
}

// Nothing is acknowledged or handed on before it survives a crash. While the disk is full, edges keep their frames.
bool EdgeLoop::MakeDurable() {
  std::vector<std::string_view> records;
  records.reserve(batch_->size());
  for (std::size_t i = 0; i < batch_->size(); ++i) records.push_back(batch_->Record(i));
  for (bool appended = false;;) {
    Status done;
    if (!appended) {
      auto first = log_.Append(records);
      if (first.ok()) {
        batch_->first = *first;
        appended = true;
      } else {
        done = first.error();
      }
    }
    if (appended) done = log_.Sync();
    if (done.ok()) break;
    if (healthy_.exchange(false)) log::Error("log-unwritable", {{"error", done.error().ToString()}});
    sync_failures_.Add();
    if (stopping_) return false;
    std::this_thread::sleep_for(kSyncRetry);
  }
  if (!healthy_.exchange(true)) log::Info("log-writable-again");
  syncs_.Add();
  for (auto& [connection, edge] : connections_) {
    if (!edge.fresh) continue;
    progress_[edge.plugin_start] = edge.seq;
    listener_.Ack(connection, edge.seq);
    edge.fresh = false;
  }
  callbacks_.deliver(std::move(batch_));
  return true;
}

void EdgeLoop::PublishApplied() {
  std::lock_guard lock(mutex_);
  applied_.clear();
  for (const auto& [connection, edge] : connections_) applied_[connection] = edge.applied;
  applied_changed_.notify_all();
}

}  // namespace fleetward::ingest
