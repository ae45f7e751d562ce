#include "segment_reader.h"

#include "segment.h"

namespace fleetward::store {

/// Loads the segment that holds next_, or what has come to it since. Errors: kNotFound, kIo.
Status SegmentReader::LoadSegment() {
  FW_ASSIGN(FileLog::SegmentSpan span, log_.Find(next_));
  readable_last_ = span.readable_last;
  if (readable_last_ < next_) return {};
  Result<std::string> bytes = ReadFile(span.path, UINT64_MAX);
  if (!bytes.ok()) {
    // Trimmed between the look and the read?
    if (next_ < log_.first_position()) return Error(Code::kNotFound, "log records were trimmed while being read");
    return std::move(bytes).error();
  }
  bytes_ = std::move(bytes).value();
  if (span.first != segment_first_) offset_ = kSegmentHeaderBytes;
  segment_first_ = span.first;
  path_ = span.path;
  return {};
}

Result<std::optional<LogRecord>> SegmentReader::Next() {
  for (;;) {
    if (next_ > readable_last_) {
      if (next_ > log_.durable_position()) return std::optional<LogRecord>();
      FW_TRY(LoadSegment());
      if (next_ > readable_last_) return Damaged();
    }
    auto record = ParseRecordAt(bytes_, offset_);
    if (record && record->position <= next_) {
      offset_ = record->end;
      if (record->position < next_) continue;  // on the way to where the reader was told to begin
      ++next_;
      return std::optional<LogRecord>({record->position, record->payload});
    }
    return Damaged();
  }
}

/// next_ should be here and is not: finds where to go on.
Error SegmentReader::Damaged() {
  damage_.first = next_;
  damage_.what = path_ + ", offset " + std::to_string(offset_);
  auto later = next_ < readable_last_ ? FindRecord(bytes_, offset_, next_ + 1, readable_last_) : std::nullopt;
  if (later) {
    damage_.last = later->position - 1;
    offset_ = later->end - kRecordHeaderBytes - later->payload.size();
  } else {
    damage_.last = std::max(next_, readable_last_);
  }
  next_ = damage_.last + 1;
  return Error(Code::kCorrupt, "log records " + std::to_string(damage_.first) + " to " + std::to_string(damage_.last) +
                                   " cannot be read")
      .WithDetail(damage_.what);
}

}  // namespace fleetward::store
