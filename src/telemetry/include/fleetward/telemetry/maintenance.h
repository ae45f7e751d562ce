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

/// One background thread. `now` is wall time, which may be wrong: a machine may boot with its clock weeks ahead. So what
/// destroys takes the oldest day alone in one call, and how often it is called bounds what a wrong clock costs. A clock
/// that is behind destroys nothing. `saved` gives the saved position of a slab (Checkpointer::SavedPosition): a block
/// that replay could make again is left alone. Errors of all calls: kUnavailable (disk full, try again), kIo, kCorrupt.
class Maintenance {
 public:
  Maintenance(store::BlockStore& store, std::function<LogPosition(SlabId)> saved, Retention retention = {});

  struct Progress {
    std::uint64_t day_blocks = 0, hour_blocks = 0, samples = 0;
    bool more = false;         // call again soon
  };
  /// Merges hour blocks of days that ended before `now` by an hour or more, `max_things` thing-days at most. The
  /// next call goes on behind them; what cannot be merged yet or comes late meanwhile waits for the next pass. `more`
  /// ends when a pass in one call is through, or one in several calls merged nothing. Loses nothing with a wrong clock:
  /// a day merged too early takes in what follows.
  Result<Progress> Merge(Timestamp now, std::uint64_t max_things = 2000);

  /// Makes the oldest day coarse once it leaves full resolution, `max_things` thing-days at most; the next one when
  /// Expire has dropped that. Nothing unless retention asks for it.
  Result<Progress> Downsample(Timestamp now, std::uint64_t max_things = 2000);

  /// Drops the oldest day of metric values, of coarse ones and of connections, each if it is past its retention (days
  /// that are still to be made coarse stay); whole files, without reading them. Once an hour is enough. Flush the store
  /// between Downsample and this: files go for good, and what replaces them must not be lost.
  Status Expire(Timestamp now);

  /// Removes the oldest day's events as far as they are past their retention, `max_events` at most: they lie by thing
  /// as well and are removed row by row. `more` ends with that day.
  Result<Progress> ExpireEvents(Timestamp now, std::uint64_t max_events = 2000);

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
  Timestamp events_until_{};              // where the pass that events_from_ belongs to ends
};

}  // namespace fleetward::telemetry
