// A shard's checkpoints: what is saved of it, when, and how it comes back (docs/recovery.md).
#include <algorithm>
#include <utility>

#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr std::uint8_t kOwnVersion = 3;   // of the shard's own row
constexpr std::uint8_t kSlabVersion = 5;
constexpr std::int64_t kLastCheckpointMs = 2000;  // a stop must end within seconds (D32); the rest is replayed

}  // namespace

telemetry::EngineSlabs Shard::SlabCallbacks() {
  telemetry::EngineSlabs slabs;
  slabs.save = [this](telemetry::SlabId slab, std::string& out) {
    slab < telemetry::kSlabCount ? SaveSlab(slab, out) : SaveOwn(out);
  };
  slabs.load = [this](telemetry::SlabId slab, std::string_view bytes) {
    return slab < telemetry::kSlabCount ? LoadSlab(slab, bytes) : LoadOwn(bytes);
  };
  slabs.hold = [this](telemetry::SlabId slab, std::string_view bytes) { return HoldSlab(slab, bytes); };
  return slabs;
}

// --- when -----------------------------------------------------------------------------------------------------

void Shard::BeginCheckpointIfDue() {
  const telemetry::Checkpointer& checkpointer = state_->checkpointer();
  std::int64_t now = clock_.MonotonicMillis();
  // While the registry is compared, the shard knows things that no slab and no row would tell.
  if (checkpointer.active() || reconciling_ || engine_->AwaitsSummaries() || now < next_checkpoint_ms_) return;
  // Positions count the records of all shards, whose things are about as many as these.
  std::uint64_t records = std::clamp<std::uint64_t>(
      things_.size() * options_.count * 4, options_.min_checkpoint_records, options_.max_checkpoint_records);
  bool due = applied_ - checkpointer.finished_position() >= records ||
             now - checkpointed_ms_ >= options_.checkpoint_age.count();
  if (due || checkpoint_wanted_.exchange(false)) BeginCheckpoint();
}

void Shard::BeginCheckpoint() {
  checkpoint_wanted_ = false;
  for (std::uint32_t slab : engine_->TakeChangedSlabs()) {
    if (telemetry::ShardOf(slab, options_.count) == options_.index) state_->Touch(slab);
  }
  state_->BeginCheckpoint(applied_);
  checkpointed_ms_ = clock_.MonotonicMillis();
  next_checkpoint_ms_ = checkpointed_ms_ + options_.checkpoint_interval.count();
}

telemetry::Pace Shard::CheckpointPace() const {
  // Nor must a slab that has closed a window be saved before the window's sum is in the log: a replay could not make its
  // part again.
  if (replaying_ || reconciling_ || engine_->AwaitsSummaries()) return telemetry::Pace::kPaused;
  bool late = applied_ - state_->checkpointer().finished_position() > 2 * options_.max_checkpoint_records;
  return late || checkpoint_wanted_ ? telemetry::Pace::kUrgent : telemetry::Pace::kSteady;
}

void Shard::LastCheckpoint() {
  if (reconciling_ || !book_->alerts().empty()) return;
  BeginCheckpoint();
  const std::int64_t until = clock_.MonotonicMillis() + kLastCheckpointMs;
  while (state_->checkpointer().active()) {
    Status saved = state_->CommitAll(applied_, FromMillis(watermark_ms_), clock_.MonotonicMillis());
    if (saved.ok() && clock_.MonotonicMillis() < until) continue;
    log::Warning("checkpoint-unfinished", {{"error", saved.ok() ? "" : saved.error().ToString()}});
    return;
  }
}

// --- what -----------------------------------------------------------------------------------------------------

// A slab's row: the engine's raises, which a replay needs before the slab enters, the engine's part, then the things'
// other state.
void Shard::SaveSlab(telemetry::SlabId slab, std::string& out) {
  ByteWriter w(out);
  w.U8(kSlabVersion);
  slab_part_.clear();
  engine_->SaveRaises(slab, slab_part_);
  w.Bytes(slab_part_);
  slab_part_.clear();
  engine_->SaveSlab(slab, slab_part_);
  w.Bytes(slab_part_);
  const auto& members = slab_things_[slab / options_.count];
  w.Varint(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 8 < members.size()) members[i + 8]->Prefetch(telemetry::Source::kDevice, Ahead::kState);
    if (i + 4 < members.size()) members[i + 4]->Prefetch(telemetry::Source::kDevice, Ahead::kContents);
    w.Raw(members[i]->entity.Bytes());
    members[i]->Save(w);
  }
}

Status Shard::HoldSlab(telemetry::SlabId slab, std::string_view bytes) {
  ByteReader r(bytes);
  std::uint8_t version = r.U8();
  std::string_view raises = r.Bytes();
  if (version != kSlabVersion || !r.ok()) return Error(Code::kCorrupt, "a stored slab cannot be read");
  return engine_->HoldRaises(slab, state_->checkpointer().finished_position(), raises);
}

Status Shard::LoadSlab(telemetry::SlabId slab, std::string_view bytes) {
  ByteReader r(bytes);
  if (r.U8() != kSlabVersion) return Error(Code::kCorrupt, "a stored slab has an unknown version");
  r.Bytes();
  std::string_view engine = r.Bytes();
  for (std::uint64_t count = r.Varint(); count > 0; --count) {
    auto entity = Id128::FromBytes(r.Raw(16));
    auto thing = std::make_unique<ThingState>();
    if (!entity || !thing->Load(r) || telemetry::SlabOf(*entity) != slab || things_.Find(*entity) != nullptr) {
      return Error(Code::kCorrupt, "a stored thing state cannot be read");
    }
    thing->entity = *entity;
    if (thing->bucket) open_buckets_[thing->bucket->bucket_ms].push_back(*entity);
    AddThing(std::move(thing));
  }
  if (!r.ok() || !r.AtEnd()) return Error(Code::kCorrupt, "a stored slab has bytes left");
  return engine.empty() ? Status() : engine_->LoadSlab(slab, engine);
}

void Shard::SaveOwn(std::string& out) {
  ByteWriter w(out);
  w.U8(kOwnVersion);
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
    for (const model::MetricToRetain& metric : metrics) {
      w.Bytes(metric.metric);
      w.U8(metric.dimension ? 1 + static_cast<std::uint8_t>(metric.dimension->op) : 0);
      if (metric.dimension) w.Bytes(metric.dimension->dimension_name.value());
    }
  }
  w.Varint(customs_.size());
  for (const auto& [name, config] : customs_) {
    w.Bytes(name);
    w.Varint(config.id);
    w.U8(static_cast<std::uint8_t>(config.type));
  }
  w.Varint(dimensions_.size());
  for (const auto& [name, number] : dimensions_) {
    w.Bytes(name);
    w.Varint(number);
  }
}

Status Shard::LoadOwn(std::string_view bytes) {
  ByteReader r(bytes);
  if (r.U8() != kOwnVersion) return Error(Code::kCorrupt, "a shard's checkpoint has an unknown version");
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
    for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) {
      model::MetricToRetain metric;
      metric.metric = r.Bytes();
      std::uint8_t op = r.U8();
      if (op != 0) {
        metric.dimension = model::MetricDimension{model::DimensionName(r.Bytes()),
                                                  static_cast<model::DimensionOperator>(op - 1), true};
      }
      metrics.push_back(std::move(metric));
    }
  }
  for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) {
    detect::CustomMetricConfig metric;
    metric.name = model::CustomMetricName(r.Bytes());
    metric.id = static_cast<model::MetricId>(r.Varint());
    metric.type = static_cast<model::CustomMetricType>(r.U8());
    customs_.emplace(metric.name.value(), metric);
  }
  for (std::uint64_t n = r.Varint(); n > 0 && r.ok(); --n) {
    std::string name(r.Bytes());
    auto number = static_cast<std::uint32_t>(r.Varint());
    dimension_names_.emplace(number, name);
    dimensions_.emplace(std::move(name), number);
  }
  if (!r.ok() || !r.AtEnd()) return Error(Code::kCorrupt, "a shard's checkpoint cannot be read");
  FW_TRY(engine_->LoadConfig(config));
  FW_TRY(engine_->LoadCursor(cursor));
  RefreshRetained();
  return {};
}

Status Shard::Load(const telemetry::AppliedTable& applied) {
  FW_TRY(state_->Load(applied));
  applied_ = std::max(applied.applied, state_->checkpointer().finished_position());
  return book_->Load(store_, [this](const model::EntityId& entity) {
    return telemetry::ShardOf(telemetry::SlabOf(entity), options_.count) == options_.index;
  });
}

}  // namespace fleetward::ingest
