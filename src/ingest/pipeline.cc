#include "fleetward/ingest/pipeline.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "control_link.h"
#include "data_plane.h"
#include "edge_loop.h"
#include "fault_book.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"
#include "fleetward/report/edge_command.h"
#include "frame_converter.h"
#include "just_in_time.h"
#include "metrics_exporter.h"
#include "replay.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr auto kTrimInterval = std::chrono::seconds(10);
constexpr auto kFlushInterval = std::chrono::minutes(10);
// A log larger than this makes the shards checkpoint at once, so that it can be trimmed.
// Above the records between two checkpoints (shard.h) of reports as most fleets send them.
constexpr std::uint64_t kMaxLogBytes = 1 << 30;
constexpr std::uint64_t kTrimBytes = 64 << 20;
constexpr std::uint64_t kMaxLogShare = 4;  // of the file system: one over this
constexpr auto kAppliedWait = std::chrono::milliseconds(250);
constexpr auto kExpireInterval = std::chrono::hours(1);

}  // namespace

class Pipeline::Impl {
 public:
  Impl(PipelineOptions options, Parts parts) : options_(std::move(options)), parts_(parts) {}

  Status Open() {
    FW_TRY(MakeDirs(options_.folder + "/log", 0700));
    FW_TRY(MakeDirs(options_.folder + "/telemetry", 0700));
    store::RocksOptions rocks;
    rocks.folder = options_.folder + "/telemetry";
    rocks.families = telemetry::TelemetryFamilies();
    FW_ASSIGN(blocks_, store::OpenRocksStore(rocks));
    FW_ASSIGN(auto applied, telemetry::AppliedTable::Open(*blocks_, options_.shards));
    store::FileLogOptions log_options;
    log_options.folder = options_.folder + "/log";
    log_options.min_next_position = applied.newest + 1;
    FW_ASSIGN(auto opened, store::OpenFileLog(log_options));
    log_ = std::move(opened.log);
    if (opened.recovery.truncated_bytes > 0) {
      log::Info("log-tail-cut", {{"bytes", opened.recovery.truncated_bytes}});
    }
    control_ = std::make_unique<ControlLink>(
        ControlLink::Options{options_.control_socket, options_.control_secret_file}, [this] { SendWholePolicy(); },
        *parts_.counters);
    data_ = std::make_unique<DataPlane>(*control_, parts_.control_store, *parts_.clock, *parts_.counters);
    MetricsExporter::Options exports{options_.control_socket, options_.control_secret_file, {}};
    exports.limits.interval_ms = options_.export_interval.count();
    exporter_ = std::make_unique<MetricsExporter>(std::move(exports), *parts_.clock, *parts_.counters);
    MakeShards();
    for (auto& shard : shards_) FW_TRY(shard->Load(applied));
    FW_TRY(ReplayLog(*log_, applied.applied + 1, shards_));
    return {};
  }

  Status Start(const Configuration& configuration) {
    bus::FrameListener::Options listen;
    listen.path = options_.ingest_socket;
    listen.allowed_uids = options_.allowed_uids;
    FW_ASSIGN(listener_, bus::FrameListener::Open(std::move(listen)));
    converter_ = std::make_unique<FrameConverter>(*parts_.directory, *control_, faults_, MakeListeners(),
                                                  *parts_.counters);
    EdgeLoop::Callbacks callbacks;
    callbacks.deliver = [this](std::shared_ptr<const LogBatch> batch) {
      delivered_ = batch->first + batch->size() - 1;
      for (auto& shard : shards_) shard->Post(batch);
    };
    callbacks.reload = [this] { SendWholePolicy(); };
    callbacks.window_summaries = [this] { return CollectSummaries(); };
    loop_ = std::make_unique<EdgeLoop>(*listener_, *log_, *converter_, *parts_.clock, std::move(callbacks),
                                       *parts_.counters);
    std::vector<Record> records;
    records.emplace_back(ConfigBeginRecord{});
    FW_TRY(configuration([&](Record record) { records.push_back(std::move(record)); }));
    records.emplace_back(ConfigEndRecord{});
    loop_->Configure(std::move(records));
    for (auto& shard : shards_) shard->Start();
    loop_->Start(shards_[0]->edge_progress(), shards_[0]->watermark_ms(), options_.engine.bucket_seconds);
    std::vector<const telemetry::Recorder*> recorders;
    for (auto& shard : shards_) recorders.push_back(&shard->recorder());
    query_ = std::make_unique<telemetry::Query>(*blocks_, std::move(recorders));
    control_->Start();
    if (parts_.publisher != nullptr) {
      parts_.publisher->SetSink([this](std::uint64_t, const std::string& delta) {
        control_->Command(report::EncodeEdgeCommand({report::EdgeCommandKind::kDelta, delta, {}, true, {}, 0}));
      });
    }
    maintenance_ = std::thread([this] {
      NameThisThread("maintenance");
      LowerThisThread();
      Maintain();
    });
    // Not behind a merge: brokers wait for it.
    policy_ = std::thread([this] {
      NameThisThread("policy");
      RunPolicy();
    });
    return {};
  }

  void Stop() {
    if (stopped_.exchange(true)) return;
    if (parts_.publisher != nullptr) parts_.publisher->SetSink(nullptr);
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    if (maintenance_.joinable()) maintenance_.join();
    if (policy_.joinable()) policy_.join();
    for (auto& shard : shards_) shard->EndWaits();
    if (loop_) loop_->Stop();
    just_in_time_.reset();
    if (data_) data_->Stop();
    for (auto& shard : shards_) shard->Stop();
    if (exporter_) exporter_->Stop();
    if (control_) control_->Stop();
    if (blocks_) {
      Status flushed = blocks_->Flush();
      if (!flushed.ok()) log::Warning("final-flush-failed", {{"error", flushed.error().ToString()}});
    }
  }

  ThingReport Describe(std::string_view name) const {
    model::EntityId entity = parts_.directory->Identify(name).entity;
    auto& shard = shards_[telemetry::ShardOf(telemetry::SlabOf(entity), options_.shards)];
    ThingReport report;
    shard->Ask([&](Shard& s) { report = s.Describe(entity); });
    report.entity = entity;
    if (report.name.empty()) report.name = name;
    for (const Fault& fault : faults_.Of(entity)) report.faults.emplace_back(FromMillis(fault.time_ms), fault.text);
    std::sort(report.faults.begin(), report.faults.end());
    return report;
  }

  void EachConnectivity(const ConnectivityFn& fn) const {
    struct Entry {
      model::ThingName name;
      bool connected;
      Timestamp since;
    };
    for (auto& shard : shards_) {
      for (std::size_t slab = 0; slab < shard->slabs(); ++slab) {
        std::vector<Entry> entries;
        shard->Ask([&](Shard& s) {
          s.EachConnectivity(slab, [&](const auto& name, bool connected, Timestamp since) {
            entries.push_back({name, connected, since});
          });
        });
        for (const Entry& entry : entries) fn(entry.name, entry.connected, entry.since);
      }
    }
  }

  PipelineStatus status() const {
    PipelineStatus status;
    status.edges = loop_->edges();
    status.control_link = control_->connected();
    status.log_healthy = loop_->healthy();
    status.log_position = log_->durable_position();
    status.log_bytes = log_->disk_bytes();
    for (auto& shard : shards_) {
      shard->Ask([&](Shard& s) {
        detect::EngineStats stats = s.engine().stats();
        status.things += stats.things;
        status.alarms += stats.alarms;
        status.digests = s.engine().DigestBehaviors();
        status.watermark_ms = std::max(status.watermark_ms, ToMillis(s.engine().watermark()));
      });
    }
    return status;
  }

  void SendWholePolicy() {
    // The thread that reads the brokers' frames must not wait for a file.
    std::lock_guard lock(mutex_);
    policy_wanted_ = true;
    wake_.notify_all();
  }

  const PipelineOptions options_;
  const Parts parts_;
  std::unique_ptr<store::BlockStore> blocks_;
  std::unique_ptr<store::EventLog> log_;
  std::unique_ptr<ControlLink> control_;
  std::unique_ptr<MetricsExporter> exporter_;
  std::vector<std::unique_ptr<Shard>> shards_;
  FaultBook faults_;
  std::unique_ptr<bus::FrameListener> listener_;
  std::unique_ptr<JustInTime> just_in_time_;
  std::unique_ptr<DataPlane> data_;
  std::unique_ptr<FrameConverter> converter_;
  std::unique_ptr<EdgeLoop> loop_;
  std::unique_ptr<telemetry::Query> query_;

 private:
  FrameConverter::Listeners MakeListeners() {
    FrameConverter::Listeners listeners;
    if (parts_.certificates != nullptr) {
      just_in_time_ = std::make_unique<JustInTime>(*parts_.certificates, parts_.account, *control_, *parts_.clock);
      listeners.unregistered = [this](const report::UnregisteredFrame& frame) { just_in_time_->Offer(frame.der); };
    }
    if (parts_.control_store != nullptr) {
      listeners.retained = [this](const report::RetainedEntry& entry) { data_->Note(entry); };
    }
    listeners.done = [this](const report::DoneFrame& frame) { data_->Done(frame); };
    return listeners;
  }

  void MakeShards() {
    for (std::uint32_t i = 0; i < options_.shards; ++i) {
      ShardOptions shard;
      shard.index = i;
      shard.count = options_.shards;
      shard.engine = options_.engine;
      shard.engine.max_new_alarms_per_second =
          options_.engine.max_new_alarms_per_second == 0
              ? 0
              : std::max<std::uint32_t>(1, options_.engine.max_new_alarms_per_second / options_.shards);
      shard.admission = options_.admission;
      shard.store_all = options_.store_all;
      shard.metrics_kept = std::chrono::days(options_.retention.metric_days);
      shard.observer = parts_.observer;
      shard.exported = [this](const std::string& topic, std::string_view item) { exporter_->Add(topic, item); };
      shards_.push_back(std::make_unique<Shard>(
          std::move(shard), *blocks_, *parts_.clock, *control_,
          [this](std::span<const notify::Publication> alerts) {
            std::size_t missing = 0;
            Status queued = parts_.topics->PublishAll(alerts, missing);
            if (missing > 0) {
              parts_.counters
                  ->AddCounter("fleetward_alerts_without_topic_total", "Alerts whose topic does not exist.")
                  .Add(missing);
              log::Warning("alerts-without-topic", {{"alerts", missing}});
            }
            return queued;
          },
          [this](const model::ViolationId& id) { return parts_.verifications->Get(id).state; }, *parts_.counters));
    }
  }

  std::optional<std::vector<detect::WindowSummary>> CollectSummaries() {
    std::vector<detect::WindowSummary> parts;
    for (auto& shard : shards_) {
      for (bool complete = false; !complete;) {
        bool answered = shard->Ask([&](Shard& s) {
          complete = s.applied() >= delivered_;
          if (!complete) return;
          for (detect::WindowSummary& part : s.engine().PendingSummaries()) parts.push_back(std::move(part));
        });
        if (!answered || (!complete && stopped_)) return std::nullopt;
        if (!complete) std::this_thread::sleep_for(kAppliedWait);  // it can commit nothing
      }
    }
    auto merged = detect::MergeWindowSummaries(parts);
    if (merged.ok()) return std::move(*merged);
    log::Error("window-summaries-unmerged", {{"error", merged.error().ToString()}});
    return std::nullopt;
  }

  void Maintain() {
    std::vector<const telemetry::Checkpointer*> checkpointers;
    for (auto& shard : shards_) checkpointers.push_back(&shard->checkpointer());
    telemetry::LogTrimmer trimmer(*blocks_, *log_, checkpointers);
    telemetry::Maintenance maintenance(
        *blocks_,
        [this](telemetry::SlabId slab) {
          return shards_[telemetry::ShardOf(slab, options_.shards)]->checkpointer().SavedPosition(slab);
        },
        options_.retention);
    const std::uint64_t max_log_bytes = MaxLogBytes();
    std::int64_t next_trim = 0, next_merge = 0, next_events = 0, next_expire = 0, next_flush = 0;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      std::int64_t now = parts_.clock->MonotonicMillis();
      bool large = log_->disk_bytes() > max_log_bytes || !loop_->healthy();  // or the disk is full
      if (large) {
        for (auto& shard : shards_) shard->WantCheckpoint();
      }
      if (large || now >= next_trim) {
        Status trimmed = trimmer.Run(large ? 1 : std::min(kTrimBytes, max_log_bytes / 4));
        if (!trimmed.ok()) log::Warning("log-trim-waits", {{"error", trimmed.error().ToString()}});
      }
      if (now >= next_trim) next_trim = now + Millis(kTrimInterval).count();
      if (now >= next_merge) {
        auto merged = maintenance.Merge(parts_.clock->Now());
        if (!merged.ok()) log::Warning("merge-waits", {{"error", merged.error().ToString()}});
        auto coarse = maintenance.Downsample(parts_.clock->Now());
        if (!coarse.ok()) log::Warning("down-sampling-waits", {{"error", coarse.error().ToString()}});
        // A piece takes some 0.1 s. While there is more, one each second: a tenth of a core, until the day is through.
        bool more = (merged.ok() && merged->more) || (coarse.ok() && coarse->more);
        next_merge = more ? now : now + Millis(kTrimInterval).count();
      }
      if (now >= next_events) {
        auto events = maintenance.ExpireEvents(parts_.clock->Now());
        if (!events.ok()) log::Warning("event-expiry-waits", {{"error", events.error().ToString()}});
        bool more = events.ok() && events->more;
        next_events = more ? now : now + Millis(kExpireInterval).count();
      }
      // Expiry wants a flush before it.
      if (now >= next_flush || now >= next_expire) {
        Status flushed = blocks_->Flush();
        if (!flushed.ok()) log::Warning("flush-waits", {{"error", flushed.error().ToString()}});
        next_flush = now + Millis(kFlushInterval).count();
        if (now >= next_expire) {
          Status expired = flushed.ok() ? maintenance.Expire(parts_.clock->Now()) : flushed;
          if (!expired.ok()) log::Warning("expiry-waits", {{"error", expired.error().ToString()}});
          next_expire = now + Millis(expired.ok() ? kExpireInterval : kFlushInterval).count();
        }
      }
      lock.lock();
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
    }
  }

  void RunPolicy() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || policy_wanted_; });
      if (stopping_) return;
      policy_wanted_ = false;
      lock.unlock();
      bool pushed = PushPolicy();
      lock.lock();
      if (pushed) continue;
      policy_wanted_ = true;
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
    }
  }

  std::uint64_t MaxLogBytes() const {
    struct statvfs info {};
    if (statvfs(options_.folder.c_str(), &info) != 0) return kMaxLogBytes;
    return std::min<std::uint64_t>(kMaxLogBytes, std::uint64_t{info.f_blocks} * info.f_frsize / kMaxLogShare);
  }

  /// False: the file could not be written.
  bool PushPolicy() {
    if (parts_.publisher == nullptr) return true;
    auto version = parts_.publisher->WriteSnapshot();
    if (!version.ok()) {
      log::Warning("policy-snapshot-unwritten", {{"error", version.error().ToString()}});
      return false;
    }
    control_->Command(report::EncodeEdgeCommand({report::EdgeCommandKind::kLoadSnapshot, {}, {}, true, {}, 0}));
    return true;
  }

  store::LogPosition delivered_ = 0;   // to the shards; of the edge loop's thread
  std::mutex mutex_;
  std::condition_variable wake_;
  bool policy_wanted_ = false;
  bool stopping_ = false;
  std::atomic<bool> stopped_{false};
  std::thread maintenance_, policy_;
};

Pipeline::Pipeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pipeline::~Pipeline() { impl_->Stop(); }

Result<std::unique_ptr<Pipeline>> Pipeline::Open(PipelineOptions options, Parts parts) {
  auto impl = std::make_unique<Impl>(std::move(options), parts);
  FW_TRY(impl->Open());
  return std::unique_ptr<Pipeline>(new Pipeline(std::move(impl)));
}

Status Pipeline::Start(const Configuration& configuration) { return impl_->Start(configuration); }
void Pipeline::Stop() { impl_->Stop(); }
void Pipeline::Configure(std::vector<Record> records) { impl_->loop_->Configure(std::move(records)); }

bool Pipeline::WaitApplied(std::uint64_t version, std::chrono::milliseconds at_most) {
  return impl_->loop_->WaitApplied(version, at_most, 0);
}
bool Pipeline::WaitServed(std::uint64_t version, std::chrono::milliseconds at_most) {
  return impl_->loop_->WaitApplied(version, at_most, 1);
}

Status Pipeline::DisconnectClient(std::string_view client_id, bool send_will) {
  report::EdgeCommand command;
  command.kind = report::EdgeCommandKind::kDisconnectClient;
  command.client_id = client_id;
  command.send_will = send_will;
  if (impl_->control_->Command(report::EncodeEdgeCommand(command))) return {};
  return Error(Code::kUnavailable, "no broker is connected");
}

Result<bool> Pipeline::DeleteConnection(const std::string& client_id, bool clean_session, bool send_will) {
  return impl_->data_->DeleteConnection(client_id, clean_session, send_will);
}
Status Pipeline::Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                         const mqtt::Properties& properties) {
  return impl_->data_->Publish(topic, payload, qos, retain, properties);
}
Result<std::optional<RetainedMessage>> Pipeline::Retained(const std::string& topic) {
  return impl_->data_->Retained(topic);
}
Result<std::vector<RetainedSummary>> Pipeline::ListRetained(const std::string& after, std::size_t limit) {
  return impl_->data_->ListRetained(after, limit);
}

std::vector<detect::TrainingSummary> Pipeline::TrainingSummaries() const {
  // Every shard has been told the sums over all of them.
  std::vector<detect::TrainingSummary> summaries;
  impl_->shards_[0]->Ask([&](Shard& s) { summaries = s.engine().TrainingSummaries(); });
  return summaries;
}

ThingReport Pipeline::Describe(std::string_view thing_name) const { return impl_->Describe(thing_name); }
void Pipeline::EachConnectivity(const ConnectivityFn& fn) const { impl_->EachConnectivity(fn); }
PipelineStatus Pipeline::status() const { return impl_->status(); }
const telemetry::Query& Pipeline::query() const { return *impl_->query_; }
const store::BlockStore& Pipeline::blocks() const { return *impl_->blocks_; }

}  // namespace fleetward::ingest
