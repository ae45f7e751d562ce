// From the event log back to what the shards knew: all shards side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/store/event_log.h"
#include "shard.h"

namespace fleetward::ingest {

/// Gives every shard the records from `from` on, then ends its replay. Before Shard::Start. Lost ranges of the log are
/// logged and left out. How many records there were. Errors: kCorrupt (also when the log begins behind `from`), kIo.
Result<std::uint64_t> ReplayLog(store::EventLog& log, store::LogPosition from,
                                const std::vector<std::unique_ptr<Shard>>& shards);

}  // namespace fleetward::ingest
