// Background work on stored telemetry: merging hour blocks into day blocks, down-sampling, and expiry.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

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
  /// Merges hour blocks of days that ended before `watermark` by an hour or more, `max_things` thing-days at most. The
  /// next call goes on behind them; what cannot be merged yet or comes late meanwhile waits for the next pass. `more`
  /// ends when a pass in one call is through, or one in several calls merged nothing.
  Result<Progress> Merge(Timestamp watermark, std::uint64_t max_things = 2000);

  /// Makes days that leave full resolution coarse, `max_things` thing-days at most; nothing unless retention asks for it.
  Result<Progress> Downsample(Timestamp watermark, std::uint64_t max_things = 2000);

  /// Drops what is past its retention (days that are still to be made coarse stay); whole files, without reading them.
  /// Once an hour is enough. Flush the store between Downsample and this: files go for good, and what replaces them
  /// must not be lost.
  Status Expire(Timestamp watermark);

  /// Removes events that are past their retention, `max_events` at most: they lie by thing as well and are removed row
  /// by row.
  Result<Progress> ExpireEvents(Timestamp watermark, std::uint64_t max_events = 2000);

  void set_retention(Retention retention) { retention_ = retention; }

 private:
  /// A pass that `max_things` cut short: its next call begins behind this thing.
  struct Resume {
    std::uint32_t day;
    std::string thing;   // 16 bytes, as in the keys
  };
  Status CompactMerged();

  store::BlockStore& store_;
  std::function<LogPosition(SlabId)> saved_;
  Retention retention_;
  std::optional<Resume> resume_;
  bool pass_merged_ = false;              // this pass merged something
  std::set<std::uint32_t> merged_days_;   // whose hours are mostly deleted rows now
  std::string events_from_;               // where the last piece of expired events ended
};

}  // namespace fleetward::telemetry
