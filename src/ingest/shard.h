// One detection shard: the thread that owns its things' engine, telemetry, admission and alarms. It applies log
// records in order; everything it knows can be made again from its last checkpoint and the log behind it. Parts: shard.cc
// (thread, records, batches), shard_reports.cc, shard_cloud.cc, shard_config.cc, shard_checkpoint.cc.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fleetward/alarms/alarm_book.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/base/id_table.h"
#include "fleetward/detect/admission.h"
#include "fleetward/detect/engine.h"
#include "fleetward/ingest/answers.h"
#include "fleetward/ingest/record.h"
#include "fleetward/ingest/thing_observer.h"
#include "fleetward/ingest/thing_report.h"
#include "fleetward/telemetry/shard_state.h"
#include "export_plan.h"
#include "log_batch.h"
#include "sample_builder.h"
#include "thing_state.h"

namespace fleetward::ingest {

/// Takes one exported value (ExportItem) for a topic; must not wait.
using ExportSink = std::function<void(const std::string& topic, std::string_view item)>;

struct ShardOptions {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
  detect::Options engine;
  detect::AdmissionOptions admission;
  bool store_all = true;                       // telemetry.store
  Millis metrics_kept = std::chrono::days(14); // telemetry.retention_days
  ThingObserver* observer = nullptr;           // outlives the shard
  ExportSink exported;                         // empty: nothing is exported
  std::uint32_t max_unregistered_things = 200'000;
  // A checkpoint writes whole slabs, so one is begun when replay would take long: after four records a thing within
  // these bounds (seconds of replay; D21 allows a minute), or after the age; never more often than the interval. It takes
  // at most 5 % of a core, until twice the most records wait.
  std::uint64_t min_checkpoint_records = 250'000;
  std::uint64_t max_checkpoint_records = 4'000'000;
  Millis checkpoint_age{3'600'000};
  Millis checkpoint_interval{5000};
  telemetry::CheckpointOptions checkpoint;
  std::size_t max_queued_bytes = 64 << 20;  // of records that wait, and of records whose outcome waits for a commit
};

/// Queues alerts durably, all or none (notify::TopicService::PublishAll). Errors: the store's, kUnavailable (disk full)
/// or kCorrupt; after either the shard keeps its alerts and tries again.
using AlertPublisher = std::function<Status(std::span<const notify::Publication>)>;

class Shard {
 public:
  Shard(ShardOptions options, store::BlockStore& store, const Clock& clock, AnswerSink& answers,
        AlertPublisher publish, alarms::AlarmBook::VerificationOf verification, CounterRegistry& counters);
  ~Shard();

  /// Loads the last checkpoint. Errors: kCorrupt, kIo.
  Status Load(const telemetry::AppliedTable& applied);

  /// Applies records on the caller's thread, before Start; EndReplay answers the last reports again: a killed server may
  /// not have. Errors: kCorrupt, kIo (of a slab).
  Status Replay(const LogBatch& batch);
  /// After the last record of the log.
  Status EndReplay();
  void Start();
  /// Hands over the next records; waits while the queue is full. Positions must follow each other.
  void Post(std::shared_ptr<const LogBatch> batch);
  /// From now on Post does not wait: who posts is to end before Stop. Any thread.
  void EndWaits();
  /// Applies what is queued, writes a checkpoint, ends the thread.
  void Stop();

  /// Runs `fn` on the shard's thread and waits for it. What was posted before is applied, unless nothing could be
  /// committed for long: see applied().
  /// False: the thread has ended, and `fn` did not run.
  bool Ask(const std::function<void(Shard&)>& fn);
  /// The log needs space: checkpoint as soon as the interval allows. Any thread; does not wait.
  void WantCheckpoint() { checkpoint_wanted_ = true; }
  /// For Ask.
  ThingReport Describe(const model::EntityId& entity) const;
  /// For Ask: the registered things of one of this shard's slabs that were ever seen online.
  void EachConnectivity(std::size_t slab,
                        const std::function<void(const model::ThingName&, bool connected, Timestamp since)>& fn) const;
  std::size_t slabs() const { return slab_things_.size(); }
  const detect::Engine& engine() const { return *engine_; }
  /// Last frame of each plugin start that is in the log; call before Start.
  const std::map<Id128, std::uint64_t>& edge_progress() const { return edge_progress_; }
  /// How far event time has come in the log; the same in every shard. Call before Start.
  std::int64_t watermark_ms() const { return watermark_ms_; }
  /// For Ask: the last position applied.
  store::LogPosition applied() const { return applied_; }

  const telemetry::Checkpointer& checkpointer() const { return state_->checkpointer(); }
  const telemetry::Recorder& recorder() const { return state_->recorder(); }

 private:
  void Run();
  Status Apply(const LogBatch& batch);
  void Prefetch(const LogBatch& batch, std::size_t index, Ahead ahead) const;
  void Prefetch(const model::EntityId& entity, telemetry::Source source, Ahead ahead) const;
  void ApplyRecord(std::string_view bytes, store::LogPosition position);
  void On(const ReportRecord& r);
  void On(const CountsRecord& r);
  void On(const ConnectionRecord& r);
  void On(const WatermarkRecord& r);
  void On(const ClockStepRecord& r);
  void On(const EdgeStartRecord& r);
  void On(const EdgeProgressRecord& r);
  void On(const DroppedRecord& r);
  void On(const WindowSummaryRecord& r);
  void On(const ProfileSetRecord& r);
  void On(const ProfileRemovedRecord& r);
  void On(const CustomMetricSetRecord& r);
  void On(const CustomMetricRemovedRecord& r);
  void On(const DimensionSetRecord& r);
  void On(const DimensionRemovedRecord& r);
  void On(const ThingSetRecord& r);
  void On(const ThingRemovedRecord& r);
  void On(const ConfigBeginRecord& r);
  void On(const ConfigEndRecord& r);
  void On(const VerificationRecord& r);

  /// The thing's state, made at its first event; nothing when too many unregistered names are known already.
  ThingState* FindThing(const model::EntityId& entity, std::string_view name, bool registered);
  void AddThing(std::unique_ptr<ThingState> thing);
  void Touch(const model::EntityId& entity);
  void Answer(const ReportRecord& r, std::uint64_t report_id, bool accepted);
  void KeepAnswer(const ReportRecord& r, std::uint64_t report_id, bool accepted);
  void SendAnswer(const ReportRecord& r, std::uint64_t report_id, bool accepted);
  void RecordReport(const ReportRecord& r, ThingState& thing, bool gap);
  void RecordOffline(const model::EntityId& entity, std::int64_t time_ms, std::int64_t seconds);
  void AddToBucket(const CountsRecord& r, const std::optional<model::IpAddress>& ip, ThingState& thing);
  void AddToTopics(const CountsRecord& r, const std::optional<model::IpAddress>& ip, OpenBucket& bucket);
  void CloseBuckets(std::int64_t time_ms);
  void CloseBucket(ThingState& thing);
  void ForgetSilent(std::int64_t now_ms);
  bool IsForgotten(const ThingState& thing, std::int64_t now_ms) const;

  // shard_export.cc: at most once; a replay exports nothing.
  void Export(const ThingState& thing, const OpenBucket* bucket);
  void ExportOffline(const ThingState& thing, std::int64_t time_ms);
  void ExportOfflineHourly(std::int64_t before_ms, std::int64_t now_ms);
  bool Exports() const { return !exports_.empty() && !replaying_ && options_.exported; }

  bool Retained(model::MetricId metric) const;
  void RefreshRetained();

  bool Commit();

  // shard_checkpoint.cc
  telemetry::EngineSlabs SlabCallbacks();
  void BeginCheckpointIfDue();
  void BeginCheckpoint();
  telemetry::Pace CheckpointPace() const;
  /// Before the thread ends.
  void LastCheckpoint();
  void SaveSlab(telemetry::SlabId slab, std::string& out);
  Status LoadSlab(telemetry::SlabId slab, std::string_view bytes);
  Status HoldSlab(telemetry::SlabId slab, std::string_view bytes);
  void SaveOwn(std::string& out);
  Status LoadOwn(std::string_view bytes);

  const ShardOptions options_;
  store::BlockStore& store_;
  const Clock& clock_;
  AnswerSink& answers_;
  AlertPublisher publish_;

  std::unique_ptr<telemetry::ShardState> state_;
  std::unique_ptr<alarms::AlarmBook> book_;
  std::unique_ptr<detect::Engine> engine_;
  IdTable<ThingState> things_;
  std::vector<std::vector<std::unique_ptr<ThingState>>> slab_things_;  // by slab / count
  std::size_t unregistered_ = 0;
  /// Things by the start of their open bucket. One that has gone over to another bucket still stands here as well.
  std::map<std::int64_t, std::vector<model::EntityId>> open_buckets_;
  CustomMetricTable customs_;
  ExportPlan exports_;             // not saved: each start says the configuration again
  std::map<std::string, std::vector<model::MetricToRetain>> profiles_;  // name -> metrics it uses or retains
  std::set<model::MetricId> retained_;
  std::map<std::string, std::uint32_t, std::less<>> dimensions_;   // name -> number
  std::map<std::uint32_t, std::string> dimension_names_;
  std::set<telemetry::SeriesKey> topic_series_;                    // of dimensions, that profiles use or retain
  std::map<Id128, std::uint64_t> edge_progress_;
  std::vector<Id128> edge_starts_;  // oldest first
  bool reconciling_ = false;
  std::set<std::string> seen_profiles_, seen_customs_, seen_dimensions_;

  bool replaying_ = false;
  struct KeptAnswer {
    std::int64_t time_ms;
    std::string thing;
    std::uint64_t report_id;
    std::uint8_t flags;
    bool accepted;
  };
  std::deque<KeptAnswer> kept_answers_;   // of a replay
  store::LogPosition position_ = 0;       // of the record being applied
  store::LogPosition applied_ = 0;        // last position applied
  std::int64_t watermark_ms_ = 0;
  std::int64_t next_checkpoint_ms_ = 0;   // not before
  std::int64_t checkpointed_ms_ = 0;      // begun
  store::LogPosition forgotten_ = 0;      // the engine keeps no raises up to here
  std::atomic<bool> checkpoint_wanted_{false};
  report::MetricReport report_;           // reused
  telemetry::Sample sample_;              // reused
  std::string answer_text_;
  std::string slab_part_;                 // reused
  std::vector<std::string> faults_;

  Counter& reports_;
  Counter& duplicates_;
  Counter& throttled_;
  Counter& ignored_names_;
  Counter& corrupt_records_;

  std::mutex mutex_;
  std::condition_variable wake_, room_;
  std::deque<std::shared_ptr<const LogBatch>> queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<std::function<void()>> questions_;
  bool ending_ = false;    // Post waits no more
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fleetward::ingest
