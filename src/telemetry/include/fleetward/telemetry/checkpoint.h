// Fuzzy checkpoints, slab by slab (D21, docs/recovery.md): each slab's row says up to which log position it is
// current, so slabs may be saved at different times and replay still applies every record exactly once to each.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/store/block_store.h"
#include "fleetward/store/event_log.h"
#include "fleetward/telemetry/layout.h"

namespace fleetward::telemetry {

using store::LogPosition;

/// What shards have said about their progress; one row each in the store. Read once at start, before the shards.
struct AppliedTable {
  /// Replay begins behind this position. Records up to it are in the store, whatever the number of shards was.
  LogPosition applied = 0;
  /// Reads the rows of the last run and writes them anew for `shards` shards (not yet durable; that is harmless).
  static Result<AppliedTable> Open(store::BlockStore& store, std::uint32_t shards);
};

struct SlabCallbacks {
  /// Appends the slab's whole state to `out`; may add rows to `batch` that belong to the same moment.
  std::function<void(SlabId, std::string& out, store::Batch& batch)> save;
  /// Takes a saved slab. Errors: kCorrupt.
  std::function<Status(SlabId, std::string_view bytes)> load;
};

struct CheckpointOptions {
  double cpu_share = 0.05;                       // of one core, while nothing is urgent
  /// A slab waits this long before it is saved again: every save writes the whole slab. Replay is far faster than time.
  std::int64_t min_age_ms = 240'000;
  std::uint64_t max_lag_records = 4'000'000;     // more records than this to replay are urgent
  std::uint64_t max_step_bytes = 1 << 20;        // state saved in one Step
};

/// One per shard; belongs to its thread, except where said.
class Checkpointer {
 public:
  Checkpointer(std::uint32_t shard, std::uint32_t shards, SlabCallbacks callbacks, CheckpointOptions options = {});

  /// Loads every slab of this shard, numbers from kSlabCount on included. Errors: kCorrupt, kIo.
  Status Load(const store::BlockStore& store, const AppliedTable& applied);

  /// Whether a record for this slab is still to be applied (false: its saved state holds it). Ask before applying,
  /// in replay as well as live.
  bool ShouldApply(SlabId slab, LogPosition position) const;
  /// The record was applied to the slab.
  void Touch(SlabId slab, LogPosition position);
  /// Everything up to `position` was applied, to whichever slabs it concerned (records of other shards included).
  void Advance(LogPosition position);

  /// Saves slabs, those that wait longest first, within the budget of CPU and bytes. `monotonic_ms` is the caller's
  /// clock. `urgent`: no budget but the bytes (the log is running out of space).
  void Step(std::int64_t monotonic_ms, bool urgent, store::Batch& batch);
  /// Saves every slab that waits: graceful stop.
  void SaveAll(store::Batch& batch);
  /// Adds the row with this shard's applied position; call last, before writing the batch.
  void Finish(store::Batch& batch);
  /// The batch of the last Finish is in the store.
  void Written();

  /// The slab should be saved although no record came for it.
  void MarkWaiting(SlabId slab);

  /// Position of the saved state of a slab of a thing as far as it is in the store. Any thread.
  LogPosition SavedPosition(SlabId slab) const;
  /// Everything up to here is in batches that were written: what the log may lose after a Flush. Any thread.
  LogPosition written_position() const { return written_.load(std::memory_order_acquire); }
  std::uint64_t waiting_slabs() const { return queue_.size(); }

 private:
  struct Slab {
    LogPosition saved = 0;           // in the state that was saved (put into a batch)
    LogPosition first_waiting = 0;   // first record applied since; 0 = none
    bool marked = false;             // in marked_
  };
  void SaveSlab(SlabId slab, store::Batch& batch);
  bool SaveNext(store::Batch& batch);
  LogPosition Covered() const;

  const std::uint32_t shard_, shards_;
  SlabCallbacks callbacks_;
  CheckpointOptions options_;
  std::vector<Slab> slabs_;                        // kSlabCount things' slabs, then kExtraSlabs
  std::deque<std::pair<SlabId, std::int64_t>> queue_;  // waiting ones, in order of first_waiting, and since when
  std::deque<SlabId> marked_;                      // to be saved without a record
  std::vector<std::atomic<LogPosition>> in_store_;
  std::vector<std::pair<SlabId, LogPosition>> unwritten_;
  std::string bytes_;
  LogPosition applied_ = 0, finished_ = 0;
  std::atomic<LogPosition> written_{0};
  std::int64_t budget_at_ms_ = 0;
  double budget_seconds_ = 0;
};

/// Lets the log shrink: flushes the store, then trims the log to what all shards have written. One background thread.
class LogTrimmer {
 public:
  LogTrimmer(store::BlockStore& store, store::EventLog& log, std::vector<const Checkpointer*> shards)
      : store_(store), log_(log), shards_(std::move(shards)) {}
  /// One round; does nothing while fewer than `at_least` bytes of log would go: each flush makes small files that
  /// must be compacted. Errors: kUnavailable, kIo (nothing was trimmed; try again).
  Status Run(std::uint64_t at_least = 1);

 private:
  store::BlockStore& store_;
  store::EventLog& log_;
  std::vector<const Checkpointer*> shards_;
};

}  // namespace fleetward::telemetry
