// LogReader over segment files.
#pragma once

#include <string>

#include "file_log.h"

namespace fleetward::store {

class SegmentReader : public LogReader {
 public:
  /// `log` must outlive the reader.
  SegmentReader(const FileLog& log, LogPosition position) : log_(log), next_(position) {}
  Result<std::optional<LogRecord>> Next() override;
  const LogDamage& damage() const override { return damage_; }

 private:
  Status LoadSegment();
  Error Damaged();

  const FileLog& log_;
  LogPosition next_;
  std::string bytes_;                // the whole segment
  std::string path_;
  std::size_t offset_ = 0;
  LogPosition segment_first_ = 0, readable_last_ = 0;
  LogDamage damage_;
};

}  // namespace fleetward::store
