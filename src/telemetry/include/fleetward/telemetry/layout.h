// Families and slabs: how telemetry and engine state lie in the block store.
#pragma once

#include <cstdint>
#include <vector>

#include "fleetward/model/names.h"
#include "fleetward/store/block_store.h"

namespace fleetward::telemetry {

/// Families of the block store, in this order (docs/storage-telemetry.md). Add at the end only.
enum Family : store::FamilyId {
  kFamilyHours = 0,        // blocks of at most 12 samples, by hour
  kFamilyDays = 1,         // merged blocks of one thing's day
  kFamilyEvents = 2,       // violation events, active violations
  kFamilyConnections = 3,  // connects, disconnects, refusals
  kFamilySlabs = 4,        // checkpoints of engine and recorder
  kFamilyMeta = 5,         // versions, applied positions
  kFamilyLong = 6,         // down-sampled days, kept longer
};
std::vector<store::FamilySpec> TelemetryFamilies();

/// A slab is the unit of checkpoints: all things whose id hashes to it. The count is fixed, so that the number of
/// shards may change between starts. The kExtraSlabs behind them belong to a shard, not to
/// things.
using SlabId = std::uint32_t;
inline constexpr SlabId kSlabCount = 4096;
inline constexpr SlabId kExtraSlabs = 256;
SlabId SlabOf(const model::EntityId& entity);
/// The shard that owns a slab: slab modulo shards.
constexpr std::uint32_t ShardOf(SlabId slab, std::uint32_t shards) { return slab % shards; }

}  // namespace fleetward::telemetry
