// Fuzzy checkpoints, slab by slab, in rounds (D21, docs/recovery.md). A round begins at some log position, at which the
// shard's own row is made. Then every slab that changed before is saved, each at whatever position the shard has reached
// by then. When all are in the store, the shard's row and the position follow: replay begins there, and a slab that is
// newer enters when replay has reached its position.
#pragma once

#include <atomic>
#include <cstdint>
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

/// What shards have said about their progress. Read once at start, before the shards.
struct AppliedTable {
  /// Replay begins behind this position. Records up to it are in the store, whatever the number of shards was.
  LogPosition applied = 0;
  /// No slab was saved at a later position: a log that was lost must go on behind it.
  LogPosition newest = 0;
  /// Reads the rows of the last run and writes them anew for `shards` shards (not yet durable; that is harmless).
  static Result<AppliedTable> Open(store::BlockStore& store, std::uint32_t shards);
};

struct SlabCallbacks {
  /// Appends the slab's whole state to `out`; may add rows to `batch` that belong to the same moment.
  std::function<void(SlabId, std::string& out, store::Batch& batch)> save;
  /// Takes a saved slab. The shard's own comes first. Errors: kCorrupt.
  std::function<Status(SlabId, std::string_view bytes)> load;
  /// Sees a slab that will be loaded when replay has come to it. May be unset. Errors: kCorrupt.
  std::function<Status(SlabId, std::string_view bytes)> hold;
};

struct CheckpointOptions {
  double cpu_share = 0.05;               // of one core
  // One step ends behind the first of these, because the shard applies nothing meanwhile.
  double max_step_seconds = 0.005;       // CPU
  std::size_t max_step_bytes = 1 << 20;
};

enum class Pace : std::uint8_t {
  kPaused,   // nothing is saved now
  kSteady,   // within the CPU budget
  kUrgent,   // one step now, whatever it costs: the log grows too long
};

/// One per shard; belongs to its thread, except where said.
class Checkpointer {
 public:
  Checkpointer(std::uint32_t shard, std::uint32_t shards, SlabCallbacks callbacks, CheckpointOptions options = {});

  /// Loads the shard's own row and every slab that is not newer. Errors: kCorrupt, kIo.
  Status Load(const store::BlockStore& store, const AppliedTable& applied);
  /// Before the record at `position` is applied, also to other shards' things: loads the slabs saved right before it.
  Status Reach(const store::BlockStore& store, LogPosition position) {
    return held_.empty() || held_.back().first >= position ? Status() : LoadHeld(store, position);
  }
  /// Behind the last record: loads what is left.
  Status ReachEnd(const store::BlockStore& store) { return LoadHeld(store, UINT64_MAX); }

  /// Whether a record is still to be applied to this slab (false: its saved state holds it). Ask before applying, in
  /// replay as well as live.
  bool ShouldApply(SlabId slab, LogPosition position) const { return position > slabs_[slab].saved; }
  /// The same for records that concern all slabs, and the shard itself.
  bool ShouldApply(LogPosition position) const { return position > base_; }
  /// The slab changed; it is saved in the next round.
  void Touch(SlabId slab);
  /// Everything up to `position` was applied, to whichever slabs it concerned (records of other shards included).
  void Advance(LogPosition position);

  /// Begins a round at the position reached. A round under way is given up: what it saved counts for the new one.
  void Begin();
  bool active() const { return active_; }
  /// Goes on with the round, if one is under way. `monotonic_ms` is the caller's clock.
  void Step(std::int64_t monotonic_ms, Pace pace, store::Batch& batch);
  /// The batches since the last call are in the store.
  void Written();

  /// Position of the saved state of a slab of a thing as far as it is in the store. Any thread.
  LogPosition SavedPosition(SlabId slab) const;
  /// Everything up to here is in batches that were written: what the log may lose after a Flush. Any thread.
  LogPosition written_position() const { return written_.load(std::memory_order_acquire); }
  /// As of the last round that ended; it may not be in the store yet.
  LogPosition finished_position() const { return finished_; }

  struct Stats {
    std::uint64_t rounds = 0, slabs = 0, bytes = 0;
    double cpu_seconds = 0, longest_step_seconds = 0;   // CPU of this thread
  };
  const Stats& stats() const { return stats_; }

 private:
  struct Slab {
    LogPosition saved = 0;   // in the state that was saved (put into a batch)
    bool changed = false;    // since then
  };
  void SaveSlab(SlabId slab, store::Batch& batch);
  void End(store::Batch& batch);
  Status LoadHeld(const store::BlockStore& store, LogPosition before);
  SlabId own() const { return kSlabCount + shard_; }

  const std::uint32_t shard_, shards_;
  SlabCallbacks callbacks_;
  CheckpointOptions options_;
  std::vector<Slab> slabs_;
  std::vector<SlabId> changed_;                          // not in round_
  std::vector<SlabId> round_;                            // still to be saved, the next one last
  std::vector<std::pair<LogPosition, SlabId>> held_;     // the next one last
  std::vector<std::atomic<LogPosition>> in_store_;
  std::vector<std::pair<SlabId, LogPosition>> unwritten_;
  std::string bytes_, own_row_;
  bool active_ = false;
  LogPosition base_ = 0;       // what was applied before the shard was loaded
  LogPosition applied_ = 0, begun_ = 0, finished_ = 0;
  std::atomic<LogPosition> written_{0};
  std::int64_t budget_at_ms_ = 0;
  double budget_seconds_ = 0;
  Stats stats_;
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
