// Everything of one thing, source and day, wherever it lies: day blocks, hour blocks, open blocks.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "day_block.h"
#include "fleetward/base/result.h"
#include "fleetward/store/block_store.h"
#include "fleetward/telemetry/recorder.h"

namespace fleetward::telemetry {

/// Buffers that are worth keeping between reads.
struct DayScratch {
  DayDecoder decoder;
  std::vector<Sample> samples;
  std::vector<std::uint32_t> order;
};

/// A reader of one view. Keeps its buffers and cursors between days. One thread.
class DayReader {
 public:
  /// `scratch` must outlive the reader.
  DayReader(const store::View& view, DayScratch& scratch, bool readahead = false);

  /// Reads the samples of `day` into samples(), unordered. `from_hour`: hour blocks that end before it are skipped.
  /// `only`: as in DayDecoder. `open`: what Recorder::Copy gave together with the view. Blocks that make no sense are
  /// left out, logged and counted. Errors: kIo.
  Status Read(const model::EntityId& entity, Source source, std::uint32_t day, std::uint32_t from_hour,
              const SeriesKey* only, std::span<const OpenBlock> open);

  /// The day to read after `day`: when that held nothing, the next one in which anybody has rows or this thing an open
  /// block. A range may be all of time.
  Result<std::uint32_t> NextDay(std::uint32_t day, std::span<const OpenBlock> open);

  std::span<Sample> samples() { return std::span(scratch_.samples.data(), used_); }
  /// Numbers of the samples in time order; equal times stay in the order in which they were read.
  const std::vector<std::uint32_t>& Ordered();
  /// Blocks left out so far.
  std::uint32_t damaged() const { return damaged_; }

 private:
  Status Take(Status decoded, std::uint32_t day);
  Status ReadDays(store::Cursor& cursor, const model::EntityId& entity, Source source, std::uint32_t day,
                  const SeriesKey* only);
  Status ReadHours(const model::EntityId& entity, Source source, std::uint32_t day, std::uint32_t from_hour);

  std::unique_ptr<store::Cursor> days_, hours_, long_;
  DayScratch& scratch_;
  std::size_t used_ = 0;
  std::uint32_t damaged_ = 0;
  std::vector<LogPosition> stored_;   // first positions of the hour blocks read
};

}  // namespace fleetward::telemetry
