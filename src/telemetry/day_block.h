// The day block: all samples of one thing, source and day in columns (docs/storage-telemetry.md §4).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

inline constexpr std::uint8_t kDayBlockVersion = 1;
/// Limits of one block; a day that holds more is kept in several.
inline constexpr std::uint64_t kMaxDaySamples = 4096;
inline constexpr std::uint64_t kMaxDayElements = 1 << 20;  // values, list elements included
inline constexpr std::uint64_t kMaxDayBytes = 64 << 20;    // decompressed

/// Keeps its buffers between blocks. One thread.
class DayEncoder {
 public:
  DayEncoder();
  ~DayEncoder();
  /// `samples` in time order, at least one. The returned bytes stay valid until the next call.
  std::string_view Encode(std::span<const Sample* const> samples);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class DayDecoder {
 public:
  DayDecoder();
  ~DayDecoder();
  /// Decodes into samples[used...], which grows as needed. `only`: this series alone (samples without it have no
  /// field). Errors: kCorrupt.
  Status Decode(std::string_view block, const model::EntityId& entity, Source source, const SeriesKey* only,
                std::vector<Sample>& samples, std::size_t& used);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::telemetry
