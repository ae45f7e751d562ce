// The write path of one shard: samples of its things, at most 12 of each held open, sealed into hour blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/id_table.h"
#include "fleetward/base/result.h"
#include "fleetward/store/block_store.h"
#include "fleetward/telemetry/layout.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

/// A block as it lies in memory: unsealed, or sealed and not yet written.
struct OpenBlock {
  Source source = Source::kDevice;
  LogPosition first_position = 0;
  std::string bytes;                 // hour block format
};

/// Owned by one shard thread, which alone calls Add, Drain, Save and Load; Copy may be called by any thread.
class Recorder {
 public:
  static constexpr std::uint32_t kMaxOpenSamples = 12;

  Recorder();
  ~Recorder();

  /// Records a sample that the log holds at `position`; one record gives at most one sample for a thing and source.
  /// Positions never decrease. Takes no I/O.
  void Add(const Sample& sample, LogPosition position);
  /// A sample of the thing will come soon: a hint. In order of Ahead, some samples apart; the shard's thread.
  void Prefetch(const model::EntityId& entity, Source source, Ahead ahead) const;

  /// Puts sealed blocks that are waiting into `batch`. They stay visible to Copy until Written is called.
  void Drain(store::Batch& batch);
  /// The batches drained so far are in the store. The caller holds mutex(), since before it wrote them.
  void Written();
  std::size_t waiting_bytes() const;

  /// Appends the open blocks of a slab for its checkpoint. Blocks whose newest sample is older than `seal_before`
  /// are sealed into `batch` instead: the slab's row must be in the same batch, behind everything Drain gave.
  void Save(SlabId slab, Timestamp seal_before, std::string& out, store::Batch& batch);
  /// Takes a slab back. Errors: kCorrupt.
  Status Load(SlabId slab, std::string_view bytes);
  /// Slabs that hold open samples older than `before`; they should be checkpointed although nothing came in.
  std::vector<SlabId> Idle(Timestamp before);

  /// Runs `fn` with a copy of everything of `entity` that is not yet in the store, while nothing can move from
  /// here to there: a view taken inside fn continues exactly where the copy ends.
  void Copy(const model::EntityId& entity, const std::function<void(std::vector<OpenBlock>)>& fn) const;

  /// Held while waiting blocks move into the store, so that Copy sees each sample exactly once.
  std::mutex& mutex() const;

  struct Stats {
    std::uint64_t samples = 0, late = 0, blocks = 0, block_bytes = 0, open_samples = 0, things = 0;
  };
  Stats stats() const;
  /// Memory of the open blocks. Walks them all.
  std::uint64_t MemoryBytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::telemetry
