// The hour block: at most a dozen samples, each coded against the one before (docs/storage-telemetry.md §3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/base/result.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

inline constexpr std::uint8_t kHourBlockVersion = 1;
inline constexpr std::uint64_t kMaxHourSamples = 64;

/// Where reporter and schema stand that hold for the newest row.
struct RowPlaces {
  static constexpr std::size_t kNone = SIZE_MAX;   // not in these rows
  std::size_t reporter = kNone, schema = kNone;
};

/// Appends `sample`, coded against `previous` (null for the first of a block), to the rows of a block. Returns the places
/// of what this row says anew.
RowPlaces AppendHourRow(const Sample& sample, const Sample* previous, std::string& rows);
/// The fields of a schema, without values. False when the bytes make no sense.
bool ReadSchema(ByteReader& in, std::vector<Sample::Field>& fields);

/// Puts the header before the rows: a block. `sealed_by`: position of the record that ended it.
std::string MakeHourBlock(std::uint64_t count, LogPosition first, LogPosition sealed_by, std::string_view rows);

struct HourBlockHeader {
  std::uint64_t count = 0;
  LogPosition span = 0;              // position of the record that ended it - first position
  std::string_view rows;
};
Result<HourBlockHeader> ParseHourHeader(std::string_view block);

/// Decodes into samples[used...], which grows as needed and keeps its buffers; entity and source are the caller's to say.
/// `places`, if given: as of the last row, in the block's rows.
/// Errors: kCorrupt.
Status DecodeHourBlock(std::string_view block, const model::EntityId& entity, Source source,
                       std::vector<Sample>& samples, std::size_t& used, RowPlaces* places = nullptr);

}  // namespace fleetward::telemetry
