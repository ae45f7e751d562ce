#include "fleetward/telemetry/shard_state.h"

#include "fleetward/base/encoding.h"

namespace fleetward::telemetry {
namespace {

// Open samples of a thing that has been silent this long leave memory.
constexpr Millis kIdle = std::chrono::hours(25);
constexpr std::int64_t kIdleSweepMillis = 600'000;
// Sealed blocks are written together: queries see them before, and a write has a price of its own.
constexpr std::size_t kDrainBytes = 64 << 10;
constexpr std::int64_t kDrainMillis = 1'000;
constexpr std::size_t kKeptBatchBytes = 8 << 20;  // a larger batch gives its memory back

}  // namespace

ShardState::ShardState(store::BlockStore& store, std::uint32_t shard, std::uint32_t shards, EngineSlabs engine,
                       CheckpointOptions options)
    : store_(store),
      engine_(std::move(engine)),
      checkpointer_(shard, shards,
                    {[this](SlabId slab, std::string& out, store::Batch& batch) { SaveSlab(slab, out, batch); },
                     [this](SlabId slab, std::string_view bytes) { return LoadSlab(slab, bytes); },
                     [this](SlabId slab, std::string_view bytes) { return HoldSlab(slab, bytes); }},
                    options) {}

/// A slab of things: length of the recorder's part, that part, the caller's part.
void ShardState::SaveSlab(SlabId slab, std::string& out, store::Batch& batch) {
  if (slab < kSlabCount) {
    recorder_bytes_.clear();
    recorder_.Save(slab, watermark_ - kIdle, recorder_bytes_, batch);
    ByteWriter(out).Bytes(recorder_bytes_);
  }
  if (engine_.save) engine_.save(slab, out);
}

Status ShardState::LoadSlab(SlabId slab, std::string_view bytes) {
  ByteReader in(bytes);
  if (slab < kSlabCount) {
    std::string_view recorder = in.Bytes();
    if (!in.ok()) return Error(Code::kCorrupt, "a slab makes no sense");
    FW_TRY(recorder_.Load(slab, recorder));
  }
  return engine_.load ? engine_.load(slab, in.Raw(in.remaining())) : Status();
}

Status ShardState::HoldSlab(SlabId slab, std::string_view bytes) {
  ByteReader in(bytes);
  in.Bytes();
  if (!in.ok()) return Error(Code::kCorrupt, "a slab makes no sense");
  return engine_.hold ? engine_.hold(slab, in.Raw(in.remaining())) : Status();
}

void ShardState::BeginCheckpoint(LogPosition applied) {
  checkpointer_.Advance(applied);
  checkpointer_.Begin();
}

Status ShardState::Commit(LogPosition applied, Timestamp watermark, std::int64_t monotonic_ms, Pace pace) {
  watermark_ = watermark;
  checkpointer_.Advance(applied);
  if (monotonic_ms >= next_idle_ms_) {
    for (SlabId slab : recorder_.Idle(watermark - kIdle)) checkpointer_.Touch(slab);
    next_idle_ms_ = monotonic_ms + kIdleSweepMillis;
  }
  if (recorder_.waiting_bytes() >= kDrainBytes || monotonic_ms >= next_drain_ms_) {
    recorder_.Drain(batch_);
    next_drain_ms_ = monotonic_ms + kDrainMillis;
  }
  // What waits for a full disk must not grow by checkpoints.
  checkpointer_.Step(monotonic_ms, failing_ ? Pace::kPaused : pace, batch_);
  return WriteBatch();
}

Status ShardState::CommitAll(LogPosition applied, Timestamp watermark, std::int64_t monotonic_ms) {
  next_drain_ms_ = monotonic_ms;
  return Commit(applied, watermark, monotonic_ms, Pace::kUrgent);
}

Status ShardState::WriteBatch() {
  std::lock_guard lock(recorder_.mutex());
  Status written = store_.Write(batch_);
  failing_ = !written.ok();
  if (failing_) return written;
  recorder_.Written();
  checkpointer_.Written();
  if (batch_.bytes() > kKeptBatchBytes) batch_ = store::Batch();
  batch_.Clear();
  return {};
}

}  // namespace fleetward::telemetry
