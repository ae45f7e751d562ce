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

/// The caller's part of a slab: opaque bytes. Slabs from kSlabCount on are the caller's alone.
struct EngineSlabs {
  std::function<void(SlabId, std::string& out)> save;
  std::function<Status(SlabId, std::string_view bytes)> load;
};

/// Belongs to the shard's thread. The loop of a shard:
///
///   for each record: slab = SlabOf(entity); if (!state.ShouldApply(slab, position)) continue;
///                    engine …; state.recorder().Add(sample, position); events into state.batch();
///                    state.Touch(slab, position);
///   state.Commit(last position of the round, watermark, now)      // once per round of records, also when idle
///
/// Everything put into batch() must be the same again when the record is replayed (keys and values from the record
/// alone): replay writes it once more.
///
/// A caller whose state must be of one position across slabs switches the budget off (cpu_share 0, max_lag_records at its
/// largest), asks ShouldApply of one extra slab that it touches with every record, and calls CommitAll now and then.
class ShardState {
 public:
  ShardState(store::BlockStore& store, std::uint32_t shard, std::uint32_t shards, EngineSlabs engine,
             CheckpointOptions options = {});

  /// Loads the shard's slabs; then replay the log from applied.applied + 1.
  Status Load(const AppliedTable& applied) { return checkpointer_.Load(store_, applied); }

  bool ShouldApply(SlabId slab, LogPosition position) const { return checkpointer_.ShouldApply(slab, position); }
  void Touch(SlabId slab, LogPosition position) { checkpointer_.Touch(slab, position); }
  Recorder& recorder() { return recorder_; }
  const Recorder& recorder() const { return recorder_; }
  const Checkpointer& checkpointer() const { return checkpointer_; }
  /// Rows that become visible with the next Commit.
  store::Batch& batch() { return batch_; }

  /// Writes what is waiting, and some checkpoints. On kUnavailable (disk full) everything is kept and written by a
  /// later Commit; reads of open samples go on. `urgent`: see Checkpointer::Step.
  Status Commit(LogPosition applied, Timestamp watermark, std::int64_t monotonic_ms, bool urgent = false);
  /// Commit with every slab that waits. At a graceful stop, Flush the store then.
  Status CommitAll(LogPosition applied, Timestamp watermark);

 private:
  Status WriteBatch();

  void SaveSlab(SlabId slab, std::string& out, store::Batch& batch);
  Status LoadSlab(SlabId slab, std::string_view bytes);

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
