#include "shard.h"

#include <time.h>

#include <algorithm>
#include <future>

#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"
#include "fleetward/base/thread.h"
#include "fleetward/report/answer.h"
#include "fleetward/report/record.h"
#include "fleetward/telemetry/connection_history.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kRememberedEdgeStarts = 64;
constexpr double kCheckpointShare = 0.05;  // D21: of one core

double ThreadSeconds() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

telemetry::CheckpointOptions WholeCheckpoints() {
  // Engine, admission and telemetry must be of one position, so slabs are never saved one by one.
  telemetry::CheckpointOptions options;
  options.cpu_share = 0;
  options.max_lag_records = ~std::uint64_t{0};
  return options;
}

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
  telemetry::EngineSlabs slabs;
  slabs.save = [this](telemetry::SlabId slab, std::string& out) { SaveSlab(slab, out); };
  slabs.load = [this](telemetry::SlabId slab, std::string_view bytes) { return LoadSlab(slab, bytes); };
  state_ = std::make_unique<telemetry::ShardState>(store_, options_.index, options_.count, std::move(slabs),
                                                   WholeCheckpoints());
  book_ = std::make_unique<alarms::AlarmBook>(state_->batch(), std::move(verification), counters);
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
  room_.wait(lock, [this] { return stopping_ || queued_bytes_ < options_.max_queued_bytes; });
  queued_bytes_ += batch->bytes.size();
  queue_.push_back(std::move(batch));
  wake_.notify_one();
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

void Shard::Ask(const std::function<void(Shard&)>& fn) {
  std::promise<void> done;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || !thread_.joinable()) return;
    questions_.push_back([&] {
      fn(*this);
      done.set_value();
    });
    wake_.notify_one();
  }
  done.get_future().wait();
}

void Shard::Run() {
  for (;;) {
    std::deque<std::shared_ptr<const LogBatch>> work;
    std::deque<std::function<void()>> questions;
    bool stopping;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::milliseconds(500),
                     [this] { return stopping_ || !queue_.empty() || !questions_.empty(); });
      work.swap(queue_);
      questions.swap(questions_);
      queued_bytes_ = 0;
      stopping = stopping_ && work.empty();
      room_.notify_all();
    }
    for (const auto& batch : work) Apply(*batch);
    answers_.Flush();
    bool committed = Commit();
    for (const auto& question : questions) question();
    if (stopping) break;
    if (committed && CheckpointDue()) Checkpoint();
  }
  Checkpoint();
}

void Shard::Replay(const LogBatch& batch) {
  replaying_ = true;
  Apply(batch);
  Commit();
  replaying_ = false;
}

void Shard::Apply(const LogBatch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::string_view bytes = batch.Record(i);
    position_ = batch.first + i;
    auto entity = EntityOf(bytes);
    bool mine = !entity || telemetry::ShardOf(telemetry::SlabOf(*entity), options_.count) == options_.index;
    if (mine && state_->ShouldApply(engine_slab(), position_)) ApplyRecord(bytes, position_);
    applied_ = position_;
  }
}

void Shard::ApplyRecord(std::string_view bytes, store::LogPosition position) {
  auto record = DecodeLogRecord(bytes);
  if (!record.ok()) {
    corrupt_records_.Add();
    log::Error("log-record-corrupt", {{"position", position}, {"error", record.error().ToString()}});
    return;
  }
  state_->Touch(engine_slab(), position);
  std::visit([this](const auto& r) { On(r); }, *record);
}

// --- things ---------------------------------------------------------------------------------------------------

ThingState* Shard::FindThing(const model::EntityId& entity, std::string_view name, bool registered) {
  auto found = things_.find(entity);
  if (found != things_.end()) return &found->second;
  if (!registered && unregistered_ >= options_.max_unregistered_things) {
    ignored_names_.Add();
    return nullptr;
  }
  ThingState& thing = things_[entity];
  thing.name = model::ThingName(name);
  thing.registered = registered;
  if (!registered) ++unregistered_;
  slab_things_[telemetry::SlabOf(entity) / options_.count].push_back(entity);
  return &thing;
}

void Shard::Touch(const model::EntityId& entity) { state_->Touch(telemetry::SlabOf(entity), position_); }

bool Shard::Retained(model::MetricId metric) const { return options_.store_all || retained_.contains(metric); }

void Shard::RefreshRetained() {
  retained_.clear();
  for (const auto& [profile, metrics] : profiles_) {
    for (const std::string& metric : metrics) {
      if (const model::MetricInfo* info = model::FindBuiltinMetric(metric)) retained_.insert(model::IdOf(info->id));
      auto custom = customs_.find(metric);
      if (custom != customs_.end()) retained_.insert(custom->second.id);
    }
  }
}

// --- reports --------------------------------------------------------------------------------------------------

void Shard::On(const ReportRecord& r) {
  if (Status decoded = report::DecodeRecord(r.body, report_); !decoded.ok()) {
    corrupt_records_.Add();
    return;
  }
  ThingState* thing = FindThing(r.entity, r.thing, (r.flags & ReportRecord::kRegistered) != 0);
  if (thing == nullptr) return;
  Touch(r.entity);
  std::uint64_t report_id = report_.report_id.value_or(0);
  bool spooled = report_.spooled_at_seconds.has_value();
  switch (thing->admission.Decide(options_.admission, FromMillis(r.time_ms), report_id, r.body_hash, spooled)) {
    case detect::Admission::kDuplicate:
      duplicates_.Add();
      Answer(r, report_id, true);
      return;
    case detect::Admission::kThrottled:
      throttled_.Add();
      thing->AddFault(r.time_ms, "report came sooner than detect.min_report_interval_seconds allows");
      Answer(r, report_id, false);
      return;
    case detect::Admission::kAccept: break;
  }
  reports_.Add();
  thing->last_report_ms = r.time_ms;
  thing->last_report_id = report_id;
  detect::ReportEvent event;
  event.thing = {r.entity, r.thing};
  event.time = FromMillis(r.time_ms);
  event.report = &report_;
  event.spooled = spooled;
  event.late = r.time_ms < watermark_ms_;
  engine_->OnReport(event);
  RecordReport(r, *thing);
  Answer(r, report_id, true);
}

void Shard::RecordReport(const ReportRecord& r, ThingState& thing) {
  sample_.Clear();
  sample_.entity = r.entity;
  sample_.source = telemetry::Source::kDevice;
  sample_.time = report_.spooled_at_seconds ? FromMillis(*report_.spooled_at_seconds * 1000) : FromMillis(r.time_ms);
  // A sample's own clock may be anywhere; a report is stored neither in the future nor before retention.
  sample_.time = std::clamp(sample_.time, FromMillis(r.time_ms) - std::chrono::hours(24 * 14), FromMillis(r.time_ms));
  sample_.flags = (report_.spooled_at_seconds ? telemetry::kFlagSpooled : 0U) |
                  (r.time_ms < watermark_ms_ ? telemetry::kFlagLate : 0U) |
                  (thing.registered ? 0U : telemetry::kFlagUnregistered);
  sample_.report_id = report_.report_id.value_or(0);
  sample_.reporter = r.reporter;
  faults_.clear();
  FillSample(report_, customs_, sample_, faults_);
  for (std::string& fault : faults_) thing.AddFault(r.time_ms, std::move(fault));
  if (options_.store_all || std::any_of(sample_.fields().begin(), sample_.fields().end(),
                                        [this](const auto& field) { return Retained(field.key.metric); })) {
    state_->recorder().Add(sample_, position_);
  }
}

void Shard::Answer(const ReportRecord& r, std::uint64_t report_id, bool accepted) {
  if (replaying_ || (r.flags & ReportRecord::kAnswer) == 0) return;
  bool cbor = (r.flags & ReportRecord::kCbor) != 0;
  report::Answer answer;
  answer.thing_name = r.thing;
  answer.report_id = report_id;
  answer.accepted = accepted;
  if (!accepted) {
    answer.error_code = report::kThrottled;
    answer.error_message = "Report interval is shorter than allowed";
  }
  answer.timestamp = FromMillis(r.time_ms);
  report::EncodeAnswer(answer, cbor ? report::Format::kCbor : report::Format::kJson, answer_text_);
  std::string topic = "$aws/things/";
  topic.append(r.thing).append("/defender/metrics/").append(cbor ? "cbor/" : "json/");
  topic.append(accepted ? "accepted" : "rejected");
  answers_.Send(topic, answer_text_);
}

void Shard::On(const DroppedRecord& r) {
  ThingState* thing = FindThing(r.entity, r.thing, false);
  if (thing == nullptr) return;
  Touch(r.entity);
  thing->AddFault(r.time_ms, std::to_string(r.reports) + " reports were lost: the broker's buffer was full");
}

// --- cloud side -----------------------------------------------------------------------------------------------

void Shard::On(const CountsRecord& r) {
  ThingState* thing = FindThing(r.entity, r.thing, (r.flags & CountsRecord::kRegistered) != 0);
  if (thing == nullptr) return;
  Touch(r.entity);
  auto ip = model::IpAddress::Parse(r.source_ip);
  detect::CountsEvent event;
  event.thing = {r.entity, r.thing};
  event.bucket = FromMillis(r.bucket_ms);
  event.time = FromMillis(r.time_ms);
  event.connected = (r.flags & CountsRecord::kConnected) != 0;
  event.deltas.messages_sent = r.messages_sent;
  event.deltas.bytes_sent = r.bytes_sent;
  event.deltas.max_message_bytes = r.max_payload;
  event.deltas.min_message_bytes = r.min_payload;
  event.deltas.messages_received = r.messages_received;
  event.deltas.authorization_failures = r.authorization_failures;
  event.deltas.connection_attempts = r.connection_attempts;
  event.deltas.disconnects = r.disconnects;
  if (ip) event.deltas.source_ips = std::span(&*ip, 1);
  engine_->OnCounts(event);
  AddToBucket(r, *thing);
}

void Shard::AddToBucket(const CountsRecord& r, ThingState& thing) {
  OpenBucket& bucket = thing.bucket;
  if (bucket.bucket_ms != r.bucket_ms) {
    if (bucket.bucket_ms >= 0) {
      CloseBucket(r.entity, thing);
    } else {
      open_buckets_.push_back(r.entity);
    }
    bucket.bucket_ms = r.bucket_ms;
  }
  bucket.messages_sent += r.messages_sent;
  bucket.bytes_sent += r.bytes_sent;
  bucket.max_payload = std::max(bucket.max_payload, r.max_payload);
  bucket.messages_received += r.messages_received;
  bucket.authorization_failures += r.authorization_failures;
  bucket.connection_attempts += r.connection_attempts;
  bucket.disconnects += r.disconnects;
  bucket.clock_step = bucket.clock_step || (r.flags & CountsRecord::kClockStep) != 0;
  auto ip = model::IpAddress::Parse(r.source_ip);
  if (ip && bucket.source_ips.size() < kMaxSourceIps &&
      std::find(bucket.source_ips.begin(), bucket.source_ips.end(), *ip) == bucket.source_ips.end()) {
    bucket.source_ips.push_back(*ip);
  }
}

// One datum per bucket, at the bucket's end (D41). The caller takes the thing off open_buckets_.
void Shard::CloseBucket(const model::EntityId& entity, ThingState& thing) {
  sample_.Clear();
  sample_.entity = entity;
  sample_.source = telemetry::Source::kCloud;
  sample_.time = FromMillis(thing.bucket.bucket_ms + std::int64_t{options_.engine.bucket_seconds} * 1000);
  sample_.flags = (thing.bucket.clock_step ? telemetry::kFlagClock : 0U) |
                  (thing.registered ? 0U : telemetry::kFlagUnregistered);
  FillSample(thing.bucket, sample_);
  state_->recorder().Add(sample_, position_);
  thing.bucket = OpenBucket();
  Touch(entity);
}

void Shard::On(const WatermarkRecord& r) {
  watermark_ms_ = std::max(watermark_ms_, r.time_ms);
  engine_->OnWatermark(FromMillis(r.time_ms));
  std::int64_t length_ms = std::int64_t{options_.engine.bucket_seconds} * 1000;
  std::erase_if(open_buckets_, [&](const model::EntityId& entity) {
    auto found = things_.find(entity);
    if (found == things_.end() || found->second.bucket.bucket_ms < 0) return true;
    if (found->second.bucket.bucket_ms + length_ms > r.time_ms) return false;
    CloseBucket(entity, found->second);
    return true;
  });
}

void Shard::On(const ClockStepRecord& r) {
  watermark_ms_ += r.step_ms;
  engine_->OnClockStep(r.step_ms, FromMillis(r.after_ms));
}

void Shard::On(const EdgeStartRecord& r) {
  for (auto& [entity, thing] : things_) {
    if (thing.connections.empty()) continue;
    thing.connections.clear();
    thing.last_online_ms = r.time_ms;
    Touch(entity);
  }
  engine_->OnAllDisconnected(FromMillis(r.time_ms));
}

void Shard::On(const EdgeProgressRecord& r) {
  auto [found, added] = edge_progress_.insert_or_assign(r.plugin_start, r.seq);
  if (!added) return;
  edge_starts_.push_back(r.plugin_start);
  if (edge_starts_.size() > kRememberedEdgeStarts) {
    edge_progress_.erase(edge_starts_.front());
    edge_starts_.erase(edge_starts_.begin());
  }
}

void Shard::On(const ConnectionRecord& r) {
  telemetry::ConnectionEvent row;
  row.type = static_cast<telemetry::ConnectionEventType>(r.kind);
  row.entity = r.entity;
  row.time = FromMillis(r.time_ms);
  row.certificate_id = HexEncode(r.fingerprint);
  row.client_id = r.client_id;
  row.address = model::IpAddress::Parse(r.source_ip);
  row.reason = r.reason;
  ThingState* thing = r.entity.IsZero()
                          ? nullptr
                          : FindThing(r.entity, r.thing, (r.flags & ConnectionRecord::kRegistered) != 0);
  if (thing != nullptr && r.kind != ConnectionRecord::Kind::kRefused) {
    Touch(r.entity);
    auto& open = thing->connections;
    if (r.kind == ConnectionRecord::Kind::kConnect) {
      if (open.empty() && thing->last_online_ms > 0) {
        RecordOffline(r.entity, r.time_ms, std::max<std::int64_t>(0, r.time_ms - thing->last_online_ms) / 1000);
      }
      if (open.size() < kMaxOpenConnections) open.push_back({r.connection, r.time_ms});
    } else {
      auto ended = std::find_if(open.begin(), open.end(), [&](const auto& c) { return c.number == r.connection; });
      if (ended != open.end()) {
        row.connected_at = FromMillis(ended->since_ms);
        open.erase(ended);
      }
      if (open.empty()) RecordOffline(r.entity, r.time_ms, 0);
    }
    thing->last_online_ms = r.time_ms;
    thing->last_client_id = r.client_id;
    thing->last_address = r.source_ip;
    detect::ConnectionEvent event;
    event.thing = {r.entity, r.thing};
    event.time = FromMillis(r.time_ms);
    event.open_connections = static_cast<std::uint32_t>(open.size());
    engine_->OnConnection(event);
  }
  telemetry::PutConnectionEvent(state_->batch(), row, position_);
}

// aws:disconnect-duration in seconds, at each connect and disconnect (detect.md §2).
void Shard::RecordOffline(const model::EntityId& entity, std::int64_t time_ms, std::int64_t seconds) {
  sample_.Clear();
  sample_.entity = entity;
  sample_.source = telemetry::Source::kCloud;
  sample_.time = FromMillis(time_ms);
  sample_.AddCount({model::IdOf(model::BuiltinMetric::kDisconnectDuration), 0}, seconds);
  state_->recorder().Add(sample_, position_);
}

// --- configuration --------------------------------------------------------------------------------------------

void Shard::On(const ProfileSetRecord& r) {
  std::vector<std::string> metrics;
  for (const auto& behavior : r.config.profile.behaviors) {
    if (behavior.metric) metrics.push_back(*behavior.metric);
  }
  for (const auto& retain : r.config.profile.additional_metrics_to_retain) metrics.push_back(retain.metric);
  profiles_.insert_or_assign(r.config.profile.name.value(), std::move(metrics));
  if (reconciling_) seen_profiles_.insert(r.config.profile.name.value());
  engine_->SetProfile(r.config, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const ProfileRemovedRecord& r) {
  profiles_.erase(r.name.value());
  engine_->RemoveProfile(r.name, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const CustomMetricSetRecord& r) {
  customs_.insert_or_assign(r.config.name.value(), r.config);
  if (reconciling_) seen_customs_.insert(r.config.name.value());
  engine_->SetCustomMetric(r.config, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const CustomMetricRemovedRecord& r) {
  customs_.erase(r.name.value());
  engine_->RemoveCustomMetric(r.name, FromMillis(r.time_ms));
  RefreshRetained();
}

void Shard::On(const ThingSetRecord& r) {
  ThingState* thing = FindThing(r.config.entity, r.config.name.value(), r.config.registered);
  if (thing == nullptr) return;
  thing->configured = true;
  if (reconciling_) seen_things_.insert(r.config.entity);
  Touch(r.config.entity);
  engine_->SetThing(r.config, FromMillis(r.time_ms));
}

void Shard::On(const ThingRemovedRecord& r) {
  engine_->RemoveThing(r.entity, FromMillis(r.time_ms));
  auto found = things_.find(r.entity);
  if (found == things_.end()) return;
  if (found->second.bucket.bucket_ms >= 0) CloseBucket(r.entity, found->second);
  if (!found->second.registered) --unregistered_;
  std::erase(slab_things_[telemetry::SlabOf(r.entity) / options_.count], r.entity);
  things_.erase(found);
  Touch(r.entity);
}

void Shard::On(const ConfigBeginRecord&) {
  reconciling_ = true;
  seen_profiles_.clear();
  seen_customs_.clear();
  seen_things_.clear();
}

void Shard::On(const ConfigEndRecord& r) {
  if (!reconciling_) return;  // its beginning was before the checkpoint; the next start says it all again
  reconciling_ = false;
  std::vector<std::string> profiles, customs;
  std::vector<model::EntityId> things;
  for (const auto& [name, metrics] : profiles_) {
    if (!seen_profiles_.contains(name)) profiles.push_back(name);
  }
  for (const auto& [name, config] : customs_) {
    if (!seen_customs_.contains(name)) customs.push_back(name);
  }
  for (const auto& [entity, thing] : things_) {
    if (thing.configured && !seen_things_.contains(entity)) things.push_back(entity);
  }
  std::sort(things.begin(), things.end());
  for (const auto& entity : things) On(ThingRemovedRecord{r.time_ms, entity});
  for (const auto& name : profiles) On(ProfileRemovedRecord{r.time_ms, model::SecurityProfileName(name)});
  for (const auto& name : customs) On(CustomMetricRemovedRecord{r.time_ms, model::CustomMetricName(name)});
  seen_things_.clear();
}

// --- checkpoints ----------------------------------------------------------------------------------------------

bool Shard::Commit() {
  // A checkpoint must never pass an alert that is not queued: it would be lost.
  if (!book_->alerts().empty()) {
    if (Status queued = publish_(book_->alerts()); !queued.ok()) {
      log::Warning("alerts-wait", {{"alerts", book_->alerts().size()}, {"error", queued.error().ToString()}});
      return false;
    }
    book_->alerts().clear();
  }
  Status written = state_->Commit(applied_, FromMillis(watermark_ms_), clock_.MonotonicMillis());
  if (!written.ok()) log::Warning("shard-commit-waits", {{"error", written.error().ToString()}});
  return written.ok();
}

bool Shard::CheckpointDue() const {
  std::int64_t now = clock_.MonotonicMillis();
  if (now < next_checkpoint_ms_) return false;
  std::uint64_t records =
      std::clamp<std::uint64_t>(things_.size() * 4, options_.min_checkpoint_records, options_.max_checkpoint_records);
  return checkpoint_wanted_ || applied_ - checkpointed_ >= records ||
         now - checkpointed_ms_ >= options_.checkpoint_age.count();
}

void Shard::Checkpoint() {
  double begin = ThreadSeconds();
  if (!book_->alerts().empty() && !Commit()) return;
  checkpoint_wanted_ = false;
  for (std::uint32_t slab : engine_->TakeChangedSlabs()) {
    if (telemetry::ShardOf(slab, options_.count) == options_.index) state_->Touch(slab, applied_);
  }
  Status saved = state_->CommitAll(applied_, FromMillis(watermark_ms_));
  if (!saved.ok()) log::Warning("checkpoint-waits", {{"error", saved.error().ToString()}});
  auto cost_ms = static_cast<std::int64_t>((ThreadSeconds() - begin) * 1000);
  std::int64_t wait_ms = std::max(options_.checkpoint_interval.count(),
                                  static_cast<std::int64_t>(static_cast<double>(cost_ms) / kCheckpointShare));
  checkpointed_ms_ = clock_.MonotonicMillis();
  checkpointed_ = applied_;
  next_checkpoint_ms_ = checkpointed_ms_ + wait_ms;
}

// A slab's row: the engine's part, then the things' other state.
void Shard::SaveSlab(telemetry::SlabId slab, std::string& out) {
  if (slab == engine_slab()) {
    SaveEngine(out);
    return;
  }
  std::string engine;
  engine_->SaveSlab(slab, engine);
  ByteWriter w(out);
  w.Bytes(engine);
  const auto& members = slab_things_[slab / options_.count];
  w.Varint(members.size());
  for (const model::EntityId& entity : members) {
    w.Raw(entity.Bytes());
    things_.at(entity).Save(w);
  }
}

Status Shard::LoadSlab(telemetry::SlabId slab, std::string_view bytes) {
  if (slab >= telemetry::kSlabCount) {
    if (slab == engine_slab()) loaded_engine_ = bytes;
    return {};
  }
  loaded_slabs_.emplace_back(slab, bytes);
  return {};
}

Status Shard::LoadThings(telemetry::SlabId slab, std::string_view bytes) {
  ByteReader r(bytes);
  std::string_view engine = r.Bytes();
  std::uint64_t count = r.Varint();
  for (std::uint64_t i = 0; i < count; ++i) {
    auto entity = Id128::FromBytes(r.Raw(16));
    ThingState thing;
    if (!entity || !thing.Load(r)) return Error(Code::kCorrupt, "a stored thing state cannot be read");
    if (!thing.registered) ++unregistered_;
    if (thing.bucket.bucket_ms >= 0) open_buckets_.push_back(*entity);
    slab_things_[slab / options_.count].push_back(*entity);
    things_.insert_or_assign(*entity, std::move(thing));
  }
  if (!r.AtEnd()) return Error(Code::kCorrupt, "a stored slab has bytes left");
  if (engine.empty()) return {};
  return engine_->LoadSlab(slab, engine);
}

void Shard::SaveEngine(std::string& out) {
  ByteWriter w(out);
  w.U8(1);
  w.Varint(options_.count);
  w.SignedVarint(watermark_ms_);
  w.Bytes(engine_->SaveConfig());
  w.Bytes(engine_->SaveCursor());
  w.Varint(edge_starts_.size());
  for (const Id128& start : edge_starts_) {
    w.Raw(start.Bytes());
    w.Varint(edge_progress_.at(start));
  }
  w.Varint(profiles_.size());
  for (const auto& [name, metrics] : profiles_) {
    w.Bytes(name);
    w.Varint(metrics.size());
    for (const auto& metric : metrics) w.Bytes(metric);
  }
  w.Varint(customs_.size());
  for (const auto& [name, config] : customs_) {
    w.Bytes(name);
    w.Varint(config.id);
    w.U8(static_cast<std::uint8_t>(config.type));
  }
}

Status Shard::LoadEngine(std::string_view bytes) {
  ByteReader r(bytes);
  if (r.U8() != 1) return Error(Code::kCorrupt, "the engine's checkpoint has an unknown version");
  if (r.Varint() != options_.count) {
    return Error(Code::kInvalidArgument, "detect.shards cannot change once a data folder is in use");
  }
  watermark_ms_ = r.SignedVarint();
  std::string_view config = r.Bytes();
  std::string_view cursor = r.Bytes();
  for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) {
    Id128 start = Id128::FromBytes(r.Raw(16)).value_or(Id128{});
    On(EdgeProgressRecord{start, r.Varint()});
  }
  for (std::uint64_t profiles = r.Varint(); profiles > 0 && r.ok(); --profiles) {
    std::string name(r.Bytes());
    auto& metrics = profiles_[name];
    for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) metrics.emplace_back(r.Bytes());
  }
  for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) {
    detect::CustomMetricConfig metric;
    metric.name = model::CustomMetricName(r.Bytes());
    metric.id = static_cast<model::MetricId>(r.Varint());
    metric.type = static_cast<model::CustomMetricType>(r.U8());
    customs_.emplace(metric.name.value(), metric);
  }
  if (!r.ok() || !r.AtEnd()) return Error(Code::kCorrupt, "the engine's checkpoint cannot be read");
  FW_TRY(engine_->LoadConfig(config));
  FW_TRY(engine_->LoadCursor(cursor));
  RefreshRetained();
  return {};
}

Status Shard::Load(const telemetry::AppliedTable& applied) {
  FW_TRY(state_->Load(applied));
  applied_ = applied.applied;
  if (!loaded_engine_.empty()) FW_TRY(LoadEngine(loaded_engine_));
  for (const auto& [slab, bytes] : loaded_slabs_) FW_TRY(LoadThings(slab, bytes));
  loaded_slabs_.clear();
  loaded_engine_.clear();
  return book_->Load(store_, [this](const model::EntityId& entity) {
    return telemetry::ShardOf(telemetry::SlabOf(entity), options_.count) == options_.index;
  });
}

ThingReport Shard::Describe(const model::EntityId& entity) const {
  ThingReport report;
  report.entity = entity;
  auto found = things_.find(entity);
  if (found == things_.end()) return report;
  const ThingState& thing = found->second;
  report.known = true;
  report.name = thing.name.value();
  report.registered = thing.registered;
  report.open_connections = static_cast<std::uint32_t>(thing.connections.size());
  report.last_report = FromMillis(thing.last_report_ms);
  report.last_report_id = thing.last_report_id;
  report.last_connection_change = FromMillis(thing.last_online_ms);
  report.last_client_id = thing.last_client_id;
  report.last_address = thing.last_address;
  for (const Fault& fault : thing.faults) report.faults.emplace_back(FromMillis(fault.time_ms), fault.text);
  report.behaviors = engine_->Explain(entity);
  return report;
}

}  // namespace fleetward::ingest
