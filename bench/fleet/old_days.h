// What a store holds that has been running for longer than its retention: day blocks, violation events, connections.
#pragma once

#include <cstdint>

#include "fleetward/base/time.h"
#include "fleetward/store/block_store.h"

namespace fleetward::bench {

struct OldRows {
  std::uint64_t blocks = 0, block_bytes = 0, events = 0, connections = 0;
};

/// The last `days` days that are past the default retention at `now`, of `things` things, and the first day that is kept.
/// Each thing has a day of 288 reports, an alarm that came and went, and a connection that did.
OldRows WriteOldDays(store::BlockStore& store, std::uint64_t things, Timestamp now, int days);

}  // namespace fleetward::bench
