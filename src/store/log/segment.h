// The bytes of a log segment (docs/storage-telemetry.md §1). Pure: bytes in, records out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/store/event_log.h"

namespace fleetward::store {

inline constexpr std::size_t kSegmentHeaderBytes = 20;
inline constexpr std::size_t kRecordHeaderBytes = 20;
inline constexpr std::uint16_t kSegmentVersion = 2;

struct SegmentHeader {
  LogPosition first = 0;
  bool marks_ends = true;      // version 1 did not
};
void AppendSegmentHeader(LogPosition first, std::string& out);
/// Nothing when these bytes are no segment header of a known version.
std::optional<SegmentHeader> ParseSegmentHeader(std::string_view bytes);

/// Appends one record. `back`: its distance from the first record of the same sync. `ends`: the last of those that were
/// appended together.
void AppendRecord(LogPosition position, std::uint32_t back, bool ends, std::string_view payload, std::string& out);

struct ParsedRecord {
  LogPosition position = 0;
  std::uint32_t back = 0;
  bool ends = false;
  std::string_view payload;
  std::size_t end = 0;         // offset behind the record
};
/// The intact record at `offset`, or nothing (the end, or damaged bytes).
std::optional<ParsedRecord> ParseRecordAt(std::string_view segment, std::size_t offset);

/// The first intact record at or behind `offset` whose position is in first..last, for going on behind damage.
std::optional<ParsedRecord> FindRecord(std::string_view segment, std::size_t offset, LogPosition first,
                                       LogPosition last);

/// What a scan of the last segment says.
struct SegmentScan {
  LogPosition next = 0;              // behind the last record
  std::size_t end = 0;               // offset behind it
  std::size_t torn_bytes = 0;        // of records behind it: never synced, or not with all they were appended with
  std::vector<LogDamage> damage;     // synced records that cannot be read; `what` holds the offset only
};
/// Walks a segment whose records begin at `first`. An intact record behind a damaged range tells whether that range
/// was synced: its own sync began at position - back, and everything before that was durable by then. With `marks_ends`
/// the scan ends behind the last records that are there with all they were appended with.
SegmentScan ScanSegment(std::string_view segment, LogPosition first, bool marks_ends);

}  // namespace fleetward::store
