// Who wants to hear at once what a shard learned of a thing: connections, and alarms that are on.
#pragma once

#include <string_view>

#include "fleetward/base/time.h"
#include "fleetward/model/names.h"
#include "fleetward/model/violation.h"

namespace fleetward::ingest {

/// Called on the shards' threads, also during replay: be quick.
class ThingObserver {
 public:
  virtual ~ThingObserver() = default;
  /// `connected` says whether any connection of the thing is open; `since` is when the last one came or went, `reason` why
  /// it went ("" when unknown).
  virtual void OnConnectivity(const model::ThingName& thing, bool connected, Timestamp since,
                              std::string_view reason) = 0;
  /// An alarm came on or has a new value; or it has ended.
  virtual void OnActiveViolation(const model::ActiveViolation& violation, bool active) = 0;
};

}  // namespace fleetward::ingest
