// Reading telemetry: series, latest values, whole samples. Sees open samples as well as stored ones.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/store/block_store.h"
#include "fleetward/telemetry/recorder.h"

namespace fleetward::telemetry {

struct Datapoint {
  Timestamp time{};
  std::uint32_t flags = 0;
  model::MetricValue value;
};

struct SeriesQuery {
  model::EntityId entity;
  SeriesKey key;
  Timestamp start{}, end{};          // start <= time <= end
  std::uint32_t max_points = 250;    // of one page
  std::string resume;                // opaque; from the page before
};

struct SeriesPage {
  std::vector<Datapoint> points;     // in time order
  std::string resume;                // empty: that was all
  std::uint32_t damaged_blocks = 0;  // met and left out: points are missing here
};

/// Reads what can be read: a stored block that makes no sense is logged, counted and left out; the rest of its day is
/// given. Any thread. `recorders` in order of the shards.
class Query {
 public:
  Query(const store::BlockStore& store, std::vector<const Recorder*> recorders);
  ~Query();

  /// One page of a series. A page walk sees every point exactly once, those that arrive meanwhile if their time is
  /// behind the page. Errors: kInvalidArgument (a resume key that is none), kIo.
  Result<SeriesPage> Series(const SeriesQuery& query) const;

  /// The newest value of each series of a thing, at most `horizon` back from `now`. Errors: kIo, kCorrupt (of the store).
  Result<std::vector<std::pair<SeriesKey, Datapoint>>> Latest(const model::EntityId& entity, Timestamp now,
                                                             Millis horizon) const;

  /// Calls fn(sample) for every sample of the thing in start..end, in time order within each day, until it
  /// returns false. For `why` and backtests. The sample is reused between calls. Errors: kIo, kCorrupt (of the store).
  Status Samples(const model::EntityId& entity, Source source, Timestamp start, Timestamp end,
                 const std::function<bool(const Sample&)>& fn) const;

  /// Damaged blocks that queries met so far (the same one counts each time).
  std::uint64_t damaged_blocks() const { return damaged_.load(); }

 private:
  const store::BlockStore& store_;
  std::vector<const Recorder*> recorders_;
  mutable std::atomic<std::uint64_t> damaged_{0};
  struct Pool;
  std::unique_ptr<Pool> pool_;       // buffers of earlier reads
};

}  // namespace fleetward::telemetry
