// Everything durable of one detection shard: recorder, checkpoints and the one batch they share with the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/telemetry/checkpoint.h"
#include "fleetward/telemetry/recorder.h"

namespace fleetward::telemetry {

/// The caller's part of a slab: opaque bytes. The shard's own slab (kSlabCount + shard) is the caller's alone.
struct EngineSlabs {
  std::function<void(SlabId, std::string& out)> save;
  std::function<Status(SlabId, std::string_view bytes)> load;
  /// Sees the bytes of a slab that enters later in the replay; may be unset.
  std::function<Status(SlabId, std::string_view bytes)> hold;
};

/// Belongs to the shard's thread. The loop of a shard:
///
///   for each record: state.Reach(position);                       // only while the log is replayed
///                    slab = SlabOf(entity); if (!state.ShouldApply(slab, position)) continue;
///                    engine …; state.recorder().Add(sample, position); events into state.batch();
///                    state.Touch(slab);
///   state.Commit(last position of the round, watermark, now, pace)  // once per round of records, also when idle
///   now and then: state.BeginCheckpoint();
///
/// Everything put into batch() must be the same again when the record is replayed (keys and values from the record
/// alone): replay writes it once more. What one slab's things get from another slab's must be in the log, or in the
/// shard's own row and told by held slabs: slabs are saved at different positions.
class ShardState {
 public:
  ShardState(store::BlockStore& store, std::uint32_t shard, std::uint32_t shards, EngineSlabs engine,
             CheckpointOptions options = {});

  /// Loads the shard's slabs as far as they are not newer; then replay the log from applied.applied + 1.
  Status Load(const AppliedTable& applied) { return checkpointer_.Load(store_, applied); }
  Status Reach(LogPosition position) { return checkpointer_.Reach(store_, position); }
  Status ReachEnd() { return checkpointer_.ReachEnd(store_); }

  bool ShouldApply(SlabId slab, LogPosition position) const { return checkpointer_.ShouldApply(slab, position); }
  bool ShouldApply(LogPosition position) const { return checkpointer_.ShouldApply(position); }
  void Touch(SlabId slab) { checkpointer_.Touch(slab); }
  Recorder& recorder() { return recorder_; }
  const Recorder& recorder() const { return recorder_; }
  const Checkpointer& checkpointer() const { return checkpointer_; }
  /// Rows that become visible with the next Commit.
  store::Batch& batch() { return batch_; }

  /// A checkpoint of everything up to `applied`, made by the Commits that follow.
  void BeginCheckpoint(LogPosition applied);

  /// Writes what is waiting, and a step of the checkpoint. On kUnavailable (disk full) everything is kept and written by
  /// a later Commit; reads of open samples go on.
  Status Commit(LogPosition applied, Timestamp watermark, std::int64_t monotonic_ms, Pace pace = Pace::kSteady);
  /// Commit with what was sealed lately as well. At a graceful stop.
  Status CommitAll(LogPosition applied, Timestamp watermark, std::int64_t monotonic_ms);

 private:
  Status WriteBatch();

  void SaveSlab(SlabId slab, std::string& out, store::Batch& batch);
  Status LoadSlab(SlabId slab, std::string_view bytes);
  Status HoldSlab(SlabId slab, std::string_view bytes);

  store::BlockStore& store_;
  EngineSlabs engine_;
  Recorder recorder_;
  Timestamp watermark_{};
  std::string recorder_bytes_;
  std::int64_t next_idle_ms_ = 0;
  std::int64_t next_drain_ms_ = 0;
  bool failing_ = false;             // the last batch is still to be written
  store::Batch batch_;
  Checkpointer checkpointer_;
};

}  // namespace fleetward::telemetry
