#include "shard.h"

#include <future>
#include <utility>

#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kCommitBytes = 1 << 20;  // of records: a batch of its own
constexpr auto kIdleWait = std::chrono::milliseconds(500);
constexpr auto kCheckpointWait = std::chrono::milliseconds(50);  // between the steps of a checkpoint

}  // namespace

Shard::Shard(ShardOptions options, store::BlockStore& store, const Clock& clock, AnswerSink& answers,
             AlertPublisher publish, alarms::AlarmBook::VerificationOf verification, CounterRegistry& counters)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      answers_(answers),
      publish_(std::move(publish)),
      slab_things_(telemetry::kSlabCount / options_.count + 1),
      reports_(counters.AddCounter("fleetward_reports_total", "Reports accepted and evaluated.")),
      duplicates_(counters.AddCounter("fleetward_reports_duplicate_total", "Reports that were accepted before.")),
      throttled_(counters.AddCounter("fleetward_reports_throttled_total", "Reports refused as too early.")),
      ignored_names_(counters.AddCounter("fleetward_names_ignored_total",
                                         "Events of unregistered names beyond the bound.")),
      corrupt_records_(counters.AddCounter("fleetward_log_records_corrupt_total", "Log records that made no sense.")) {
  state_ = std::make_unique<telemetry::ShardState>(store_, options_.index, options_.count, SlabCallbacks(),
                                                   options_.checkpoint);
  alarms::AlarmBook::Watcher watcher;
  if (ThingObserver* observer = options_.observer) {
    watcher = [observer](const model::ActiveViolation& v, bool active) { observer->OnActiveViolation(v, active); };
  }
  book_ = std::make_unique<alarms::AlarmBook>(state_->batch(), std::move(verification), counters, std::move(watcher));
  book_->set_leads(options_.index == 0);
  detect::Options engine = options_.engine;
  engine.slab_count = telemetry::kSlabCount;
  engine.slab_of = telemetry::SlabOf;
  engine_ = std::make_unique<detect::Engine>(engine, *book_);
}

Shard::~Shard() { Stop(); }

// --- thread ---------------------------------------------------------------------------------------------------

void Shard::Start() {
  next_checkpoint_ms_ = clock_.MonotonicMillis() + options_.checkpoint_interval.count();
  checkpoint_wanted_ = true;  // what was replayed once should not be replayed at every crash
  thread_ = std::thread([this] {
    NameThisThread("shard");
    Run();
  });
}

void Shard::Post(std::shared_ptr<const LogBatch> batch) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return stopping_ || ending_ || queued_bytes_ < options_.max_queued_bytes; });
  queued_bytes_ += batch->bytes.size();
  queue_.push_back(std::move(batch));
  wake_.notify_one();
}

void Shard::EndWaits() {
  std::lock_guard lock(mutex_);
  ending_ = true;
  room_.notify_all();
}

void Shard::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
    room_.notify_all();
  }
  thread_.join();
}

bool Shard::Ask(const std::function<void(Shard&)>& fn) {
  std::promise<void> done;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || !thread_.joinable()) return false;
    questions_.push_back([&] {
      fn(*this);
      done.set_value();
    });
    wake_.notify_one();
  }
  done.get_future().wait();
  return true;
}

void Shard::Run() {
  std::deque<std::shared_ptr<const LogBatch>> work;
  // Of records applied since a commit succeeded. What they decided waits in memory: with so much of it the queue is left
  // alone until a commit succeeds, Post waits, and edges keep their frames. Questions are answered all the while.
  std::size_t uncommitted = 0;
  auto full = [&] { return uncommitted >= options_.max_queued_bytes; };
  auto commit = [&] {
    bool committed = Commit();
    if (committed) uncommitted = 0;
    return committed;
  };
  for (;;) {
    std::deque<std::function<void()>> questions;
    bool stopping, idle;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, state_->checkpointer().active() ? kCheckpointWait : kIdleWait, [&] {
        return stopping_ || !questions_.empty() || (!full() && !(work.empty() && queue_.empty()));
      });
      if (work.empty() && !full()) {
        work.swap(queue_);
        queued_bytes_ = 0;
        room_.notify_all();
      }
      questions.swap(questions_);
      stopping = stopping_;
      idle = work.empty() && queue_.empty();
    }
    for (std::size_t bytes = 0; !work.empty() && !full(); work.pop_front()) {
      (void)Apply(*work.front()).ok();  // no slab is left to load
      bytes += work.front()->bytes.size();
      uncommitted += work.front()->bytes.size();
      if (bytes < kCommitBytes) continue;
      answers_.Flush();
      commit();
      bytes = 0;
    }
    answers_.Flush();
    bool committed = commit();
    for (const auto& question : questions) question();
    if (stopping && (idle || full())) break;  // what was not applied is replayed
    if (committed) BeginCheckpointIfDue();
  }
  LastCheckpoint();
}

Status Shard::Replay(const LogBatch& batch) {
  replaying_ = true;
  Status applied = Apply(batch);
  Commit();
  replaying_ = false;
  return applied;
}

Status Shard::EndReplay() {
  FW_TRY(state_->ReachEnd());
  for (const KeptAnswer& kept : kept_answers_) {
    ReportRecord report;
    report.thing = kept.thing;
    report.time_ms = kept.time_ms;
    report.flags = kept.flags;
    SendAnswer(report, kept.report_id, kept.accepted);
  }
  kept_answers_ = {};
  answers_.Flush();
  return {};
}

/// Asks for the memory of the things that records further on are about. Of a million things nothing is in a cache, and
/// one wait after the other would be most of a report's cost.
void Shard::Prefetch(const LogBatch& batch, std::size_t index, Ahead ahead) const {
  if (index >= batch.size()) return;
  std::string_view bytes = batch.Record(index);
  auto entity = EntityOf(bytes);
  if (!entity || telemetry::ShardOf(telemetry::SlabOf(*entity), options_.count) != options_.index) return;
  bool counts = TypeOf(bytes) == RecordType::kCounts;
  Prefetch(*entity, counts ? telemetry::Source::kCloud : telemetry::Source::kDevice, ahead);
  engine_->Prefetch(*entity, ahead);
  // Counts are stored at their bucket's end.
  if (!counts) state_->recorder().Prefetch(*entity, telemetry::Source::kDevice, ahead);
}

void Shard::Prefetch(const model::EntityId& entity, telemetry::Source source, Ahead ahead) const {
  if (ahead == Ahead::kEntry) return things_.Prefetch(entity);
  if (const ThingState* thing = things_.FindByHash(entity)) thing->Prefetch(source, ahead);
}

Status Shard::Apply(const LogBatch& batch) {
  constexpr std::size_t kStep = 8;   // records; those of all shards
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Prefetch(batch, i + 3 * kStep, Ahead::kEntry);
    Prefetch(batch, i + 2 * kStep, Ahead::kState);
    Prefetch(batch, i + kStep, Ahead::kContents);
    std::string_view bytes = batch.Record(i);
    position_ = batch.first + i;
    if (replaying_) FW_TRY(state_->Reach(position_));
    auto entity = EntityOf(bytes);
    bool apply = state_->ShouldApply(position_);
    if (entity) {
      telemetry::SlabId slab = telemetry::SlabOf(*entity);
      apply = apply && telemetry::ShardOf(slab, options_.count) == options_.index && state_->ShouldApply(slab, position_);
    }
    if (apply) ApplyRecord(bytes, position_);
    applied_ = position_;
  }
  return {};
}

void Shard::ApplyRecord(std::string_view bytes, store::LogPosition position) {
  auto record = DecodeLogRecord(bytes);
  if (!record.ok()) {
    corrupt_records_.Add();
    log::Error("log-record-corrupt", {{"position", position}, {"error", record.error().ToString()}});
    return;
  }
  engine_->SetPosition(position);
  std::visit([this](const auto& r) { On(r); }, *record);
}

// --- things ---------------------------------------------------------------------------------------------------

ThingState* Shard::FindThing(const model::EntityId& entity, std::string_view name, bool registered) {
  if (ThingState* known = things_.Find(entity)) return known;
  if (!registered && unregistered_ >= options_.max_unregistered_things) {
    ignored_names_.Add();
    return nullptr;
  }
  auto made = std::make_unique<ThingState>();
  ThingState* thing = made.get();
  thing->entity = entity;
  thing->name = model::ThingName(name);
  thing->registered = registered;
  AddThing(std::move(made));
  Touch(entity);
  return thing;
}

void Shard::AddThing(std::unique_ptr<ThingState> thing) {
  if (!thing->registered) ++unregistered_;
  things_.Insert(thing.get());
  slab_things_[telemetry::SlabOf(thing->entity) / options_.count].push_back(std::move(thing));
}

void Shard::Touch(const model::EntityId& entity) { state_->Touch(telemetry::SlabOf(entity)); }

// --- batches --------------------------------------------------------------------------------------------------

bool Shard::Commit() {
  // A checkpoint must never pass an alert that is not queued: it would be lost.
  if (!book_->alerts().empty()) {
    if (Status queued = publish_(book_->alerts()); !queued.ok()) {
      log::Warning("alerts-wait", {{"alerts", book_->alerts().size()}, {"error", queued.error().ToString()}});
      return false;
    }
    book_->alerts().clear();
  }
  Status written = state_->Commit(applied_, FromMillis(watermark_ms_), clock_.MonotonicMillis(), CheckpointPace());
  if (!written.ok()) {
    log::Warning("shard-commit-waits", {{"error", written.error().ToString()}});
    return false;
  }
  store::LogPosition base = state_->checkpointer().written_position();
  if (std::exchange(forgotten_, base) != base) engine_->ForgetRaises(base);
  return true;
}

// --- questions ------------------------------------------------------------------------------------------------

ThingReport Shard::Describe(const model::EntityId& entity) const {
  ThingReport report;
  report.entity = entity;
  const ThingState* found = things_.Find(entity);
  if (found == nullptr) return report;
  const ThingState& thing = *found;
  const ThingDetails& details = thing.details();
  report.known = true;
  report.name = thing.name.value();
  report.registered = thing.registered;
  report.open_connections = static_cast<std::uint32_t>(details.connections.size());
  report.last_report = FromMillis(thing.last_report_ms);
  report.last_report_id = thing.last_report_id;
  report.last_connection_change = FromMillis(details.last_online_ms);
  report.last_client_id = details.last_client_id;
  report.last_address = details.last_address;
  for (const Fault& fault : details.faults) report.faults.emplace_back(FromMillis(fault.time_ms), fault.text);
  report.behaviors = engine_->Explain(entity);
  return report;
}

}  // namespace fleetward::ingest
