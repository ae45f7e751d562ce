// What shards tell each other at the end of a window of a statistical behavior (D7, D8). The owner of the event log asks
// every shard's engine for what is pending as soon as a watermark has closed a window, merges it and logs the result
// right behind that watermark: every engine, now and in a replay, sees it at the same place.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/names.h"

namespace fleetward::detect {

/// Whom a statistical behavior compares with each other.
struct PopulationKey {
  std::string profile;
  std::string behavior;
  std::int64_t definition_version = 0;
  model::ProfileTarget target;
  auto operator<=>(const PopulationKey&) const = default;
};

struct WindowSummary {
  PopulationKey population;
  std::int64_t end_ms = 0;      // of the window
  std::string bytes;            // summary, digest and models, as in docs/detect.md, "Stored state"
};

/// Merges what the shards had pending, in any order; the result is the same however the things were sharded. Errors:
/// kCorrupt.
Result<std::vector<WindowSummary>> MergeWindowSummaries(std::span<const WindowSummary> parts);

/// Whether a behavior needs the exchange: statistical and ML ones do.
bool NeedsExchange(const model::SecurityProfile& profile);

}  // namespace fleetward::detect
