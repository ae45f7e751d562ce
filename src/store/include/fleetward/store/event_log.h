// The one log of truth (D21): everything that must survive is appended here first, and synced in groups.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::store {

/// Number of a record. Dense, counted from 1; 0 means "before the first record".
using LogPosition = std::uint64_t;

struct LogRecord {
  LogPosition position = 0;
  std::string_view payload;  // valid until the next call of the reader that gave it
};

/// Records that should be there and cannot be read: stored bytes changed under us. Never skipped in silence.
struct LogDamage {
  LogPosition first = 0;
  LogPosition last = 0;  // inclusive
  std::string what;      // file and offset
};

/// Reads durable records in order. One thread per reader; any number of readers beside the appender.
class LogReader {
 public:
  virtual ~LogReader() = default;
  /// The next record, or nothing at the present durable end (call again later).
  /// Errors: kCorrupt once for each damaged range (the next call goes on behind it; damage() tells the range), kIo,
  /// kNotFound when the records were trimmed meanwhile.
  virtual Result<std::optional<LogRecord>> Next() = 0;
  /// The range that the last kCorrupt was about.
  virtual const LogDamage& damage() const = 0;
};

/// What opening found.
struct LogRecovery {
  std::uint64_t truncated_bytes = 0;  // torn tail of records that were never synced
  std::vector<LogDamage> damage;      // seen at open: in the last segment; older ones are checked when read
};

/// Append-only log. Append, Sync and DropPending belong to one thread; everything else may be called from any.
class EventLog {
 public:
  virtual ~EventLog() = default;

  /// Takes `records`, all or none, and gives the position of the first; the others follow densely. Takes no disk
  /// access and copies the bytes: they are pending until Sync. A crash as well leaves all of them or none. Errors:
  /// kUnavailable when too much is pending (a full disk), kInvalidArgument when a record exceeds max_record_bytes().
  virtual Result<LogPosition> Append(std::span<const std::string_view> records) = 0;
  Result<LogPosition> Append(std::string_view record) { return Append({&record, 1}); }

  /// Makes everything appended so far durable (one write, one fdatasync). On failure all of it stays pending with
  /// its positions, and the next Sync writes it again, into a new segment: a failed fsync is never repeated as if
  /// it could succeed. Errors: kUnavailable (disk full: try again later), kIo.
  virtual Status Sync() = 0;

  /// Forgets what is pending: the positions will be given again. For callers that answer "failed" after a failed Sync.
  virtual void DropPending() = 0;

  /// First position that can be read; next_position() when the log is empty.
  virtual LogPosition first_position() const = 0;
  /// Last position that survives a crash; 0 when there is none.
  virtual LogPosition durable_position() const = 0;
  /// The position the next record gets.
  virtual LogPosition next_position() const = 0;
  virtual std::uint64_t max_record_bytes() const = 0;
  /// Bytes on disk, reserved space included.
  virtual std::uint64_t disk_bytes() const = 0;

  /// A reader whose first record is `position`. Errors: kNotFound when that was trimmed, or lies behind the next
  /// position.
  virtual Result<std::unique_ptr<LogReader>> ReadFrom(LogPosition position) = 0;

  /// Allows everything before `position` to go; whole segments are removed, the last one always stays.
  virtual Status TrimBefore(LogPosition position) = 0;
  /// Bytes on disk that TrimBefore(position) would give back.
  virtual std::uint64_t TrimmableBytes(LogPosition position) const = 0;
};

struct FileLogOptions {
  std::string folder;                                // made when absent
  std::uint64_t segment_bytes = 16 << 20;            // at most 1/32 of the file system, at least 64 KiB
  std::uint64_t max_record_bytes = 4 << 20;          // profiles with 10,000 targets are the largest
  std::uint64_t max_pending_bytes = 32 << 20;
  /// Space left free for those who finish accepted work (flushes, the control plane); 0 = 1/16 of the file system,
  /// at most 64 MiB. No new segment is begun below it.
  std::uint64_t reserve_bytes = 0;
  /// Lowest allowed next position: the position behind the newest state that was derived from this log. Keeps
  /// positions from being given twice should the log's folder get lost.
  LogPosition min_next_position = 1;
};

struct OpenedLog {
  std::unique_ptr<EventLog> log;
  LogRecovery recovery;
};

/// Opens or makes the log of `options.folder` (byte format: docs/storage-telemetry.md). A torn tail is cut off.
/// Works on a full disk. Errors: kIo, kCorrupt (a segment file that is none), kUnavailable.
Result<OpenedLog> OpenFileLog(const FileLogOptions& options);

/// The in-memory twin. `crash()`-like behaviour for tests: what was not synced can be dropped by DropPending.
std::unique_ptr<EventLog> MakeMemoryLog(std::uint64_t max_record_bytes = 4 << 20);

}  // namespace fleetward::store
