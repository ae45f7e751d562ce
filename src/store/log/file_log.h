// EventLog over segment files.
#pragma once

#include <map>
#include <mutex>

#include "fleetward/base/file.h"
#include "fleetward/store/event_log.h"
#include "file_ops.h"

namespace fleetward::store {

class FileLog : public EventLog {
 public:
  /// `ops` must outlive the log.
  static Result<OpenedLog> Open(const FileLogOptions& options, FileOps& ops);

  using EventLog::Append;
  Result<LogPosition> Append(std::span<const std::string_view> records) override;
  Status Sync() override;
  void DropPending() override;
  LogPosition first_position() const override;
  LogPosition durable_position() const override;
  LogPosition next_position() const override;
  std::uint64_t max_record_bytes() const override { return options_.max_record_bytes; }
  std::uint64_t disk_bytes() const override;
  Result<std::unique_ptr<LogReader>> ReadFrom(LogPosition position) override;
  Status TrimBefore(LogPosition position) override;
  std::uint64_t TrimmableBytes(LogPosition position) const override;

  /// For readers: the segment that holds `position` and the last position in it that may be read now. Errors: kNotFound.
  struct SegmentSpan {
    std::string path;
    LogPosition first = 0, readable_last = 0;
  };
  Result<SegmentSpan> Find(LogPosition position) const;

 private:
  FileLog(FileLogOptions options, FileOps& ops) : options_(std::move(options)), ops_(ops) {}
  Status Recover(LogRecovery& recovery);
  Result<bool> RecoverLast(LogRecovery& recovery);
  void AdaptToFileSystem();
  Status WritePending();
  Status BeginSegment();
  Result<std::uint64_t> SegmentSize() const;
  Status SyncFolder() const;
  std::string PathOf(LogPosition first) const;

  FileLogOptions options_;
  FileOps& ops_;

  // The appender's.
  Fd fd_;
  LogPosition current_first_ = 0;    // of the segment behind fd_
  std::uint64_t offset_ = 0, capacity_ = 0;
  bool listed_ = false;              // the current segment holds synced records
  std::string pending_;              // encoded records behind durable_

  mutable std::mutex mutex_;         // guards what follows
  std::map<LogPosition, std::uint64_t> segments_;  // first position → bytes on disk
  LogPosition durable_ = 0, next_ = 1;
};

}  // namespace fleetward::store
