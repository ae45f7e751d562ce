// Background work on stored telemetry: merging hour blocks into day blocks, down-sampling, and expiry.
#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/store/block_store.h"
#include "fleetward/telemetry/layout.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

struct Retention {
  int metric_days = 14;
  int event_days = 30;
  int connection_days = 31;
  /// Days for which metric values are kept with one sample a stretch. Not more than metric_days: no longer than those.
  int downsampled_days = 0;
  int downsampled_minutes = 60;

  bool Downsamples() const { return downsampled_days > metric_days; }
};

/// One background thread. `saved` gives the saved position of a slab (Checkpointer::SavedPosition): a block that replay
/// could make again is left alone.
class Maintenance {
 public:
  Maintenance(store::BlockStore& store, std::function<LogPosition(SlabId)> saved, Retention retention = {});

  struct Progress {
    std::uint64_t day_blocks = 0, hour_blocks = 0, samples = 0;
    bool more = false;         // call again soon
  };
  /// Merges hour blocks of days that ended before `watermark` by an hour or more, `max_things` thing-days at most.
  Result<Progress> Merge(Timestamp watermark, std::uint64_t max_things = 2000);

  /// Makes days that leave full resolution coarse, `max_things` thing-days at most; nothing unless retention asks for it.
  Result<Progress> Downsample(Timestamp watermark, std::uint64_t max_things = 2000);

  /// Drops what is past its retention (days that are still to be made coarse stay); whole files, without reading them. Once an hour is enough.
  Status Expire(Timestamp watermark);

  void set_retention(Retention retention) { retention_ = retention; }

 private:
  Status CompactMerged();

  store::BlockStore& store_;
  std::function<LogPosition(SlabId)> saved_;
  Retention retention_;
  std::set<std::uint32_t> merged_days_;   // whose hours are mostly deleted rows now
};

}  // namespace fleetward::telemetry
