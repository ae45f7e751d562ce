#include "file_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "fleetward/base/log.h"
#include "segment.h"
#include "segment_reader.h"

namespace fleetward::store {
namespace {

constexpr std::uint64_t kMinSegmentBytes = 64 << 10;
constexpr std::string_view kSuffix = ".seg";

std::optional<LogPosition> PositionOfName(std::string_view name) {
  if (name.size() != 20 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  LogPosition position = 0;
  for (char c : name.substr(0, 20)) {
    if (c < '0' || c > '9') return std::nullopt;
    position = position * 10 + static_cast<LogPosition>(c - '0');
  }
  return position;
}

}  // namespace

Result<OpenedLog> OpenFileLog(const FileLogOptions& options) { return FileLog::Open(options, FileOps::System()); }

Result<OpenedLog> FileLog::Open(const FileLogOptions& options, FileOps& ops) {
  FW_TRY(MakeDirs(options.folder, 0700));
  std::unique_ptr<FileLog> log(new FileLog(options, ops));
  log->AdaptToFileSystem();
  OpenedLog opened;
  FW_TRY(log->Recover(opened.recovery));
  opened.log = std::move(log);
  return opened;
}

void FileLog::AdaptToFileSystem() {
  std::uint64_t available = 0, total = 0;
  if (ops_.Space(options_.folder, available, total) != 0) return;
  options_.segment_bytes = std::max(kMinSegmentBytes, std::min(options_.segment_bytes, total / 32));
  if (options_.reserve_bytes == 0) options_.reserve_bytes = std::min<std::uint64_t>(64 << 20, total / 16);
}

std::string FileLog::PathOf(LogPosition first) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%020llu.seg", static_cast<unsigned long long>(first));
  return options_.folder + name;
}

Status FileLog::Recover(LogRecovery& recovery) {
  DIR* dir = opendir(options_.folder.c_str());
  if (dir == nullptr) return ErrnoError(errno, "opening " + options_.folder);
  while (dirent* entry = readdir(dir)) {
    auto first = PositionOfName(entry->d_name);
    if (!first || *first == 0) continue;
    struct stat info {};
    if (stat(PathOf(*first).c_str(), &info) == 0) segments_[*first] = static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  closedir(dir);
  for (bool found = false; !found && !segments_.empty();) {
    FW_ASSIGN(found, RecoverLast(recovery));
  }
  next_ = std::max(next_, options_.min_next_position);
  durable_ = next_ - 1;
  return {};
}

/// False when the last segment held nothing and was removed: the one before it is the last then.
Result<bool> FileLog::RecoverLast(LogRecovery& recovery) {
  LogPosition first = segments_.rbegin()->first;
  std::string path = PathOf(first);
  FW_ASSIGN(std::string bytes, ReadFile(path, UINT64_MAX));
  auto header = ParseSegmentHeader(bytes);
  bool header_ok = header && header->first == first;
  if (bytes.size() < kSegmentHeaderBytes) bytes.resize(kSegmentHeaderBytes);
  SegmentScan scan = ScanSegment(bytes, first, !header_ok || header->marks_ends);
  recovery.truncated_bytes += scan.torn_bytes;
  if (scan.next == first && segments_.size() > 1 && first > 1) {
    // Made, but nothing was synced in it. The only segment stays: its name keeps the position.
    if (unlink(path.c_str()) != 0) return ErrnoError(errno, "removing " + path);
    segments_.erase(first);
    return false;
  }
  for (LogDamage& damage : scan.damage) {
    damage.what = path + ", " + damage.what;
    recovery.damage.push_back(std::move(damage));
  }
  if (!header_ok && scan.next > first) recovery.damage.push_back({first, first - 1, path + ", header"});
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "opening " + path);
  // If the tail cannot be cut off, the next segment's first position says that this one ends here.
  if (ftruncate(fd.get(), static_cast<off_t>(scan.end)) != 0) {
    log::Warning("store.log_truncate_failed", {{"path", path}, {"error", std::strerror(errno)}});
  }
  // What was written whole but not synced by the killed process counts from now on: it must stay.
  if (int err = ops_.Sync(fd.get())) return ErrnoError(err, "syncing " + path);
  segments_[first] = scan.end;
  next_ = scan.next;
  return true;
}

Result<LogPosition> FileLog::Append(std::span<const std::string_view> records) {
  std::uint64_t size = 0;
  for (std::string_view record : records) {
    if (record.size() > options_.max_record_bytes) {
      return Error(Code::kInvalidArgument, "a log record of " + std::to_string(record.size()) + " bytes is too large");
    }
    size += record.size() + kRecordHeaderBytes;
  }
  if (!pending_.empty() && pending_.size() + size > options_.max_pending_bytes) {
    return Error(Code::kUnavailable, "the event log waits for disk space");
  }
  std::lock_guard lock(mutex_);
  LogPosition first = next_;
  for (std::size_t i = 0; i < records.size(); ++i) {
    AppendRecord(next_, static_cast<std::uint32_t>(next_ - durable_ - 1), i + 1 == records.size(), records[i], pending_);
    ++next_;
  }
  return first;
}

Status FileLog::Sync() {
  if (pending_.empty()) return {};
  Status written = WritePending();
  if (!written.ok()) {
    // Never written to nor synced again: what a failed fsync leaves behind is not known (docs/recovery.md rule 9).
    fd_.Reset();
    return written;
  }
  offset_ += pending_.size();
  pending_.clear();
  std::lock_guard lock(mutex_);
  durable_ = next_ - 1;
  if (!listed_) segments_[current_first_] = capacity_;
  listed_ = true;
  return {};
}

Status FileLog::WritePending() {
  bool fresh = !fd_.valid() || offset_ + pending_.size() > capacity_;
  if (fresh) FW_TRY(BeginSegment());
  if (int err = ops_.WriteAt(fd_.get(), pending_.data(), pending_.size(), offset_)) {
    return ErrnoError(err, "writing the event log");
  }
  if (int err = fresh ? ops_.Sync(fd_.get()) : ops_.SyncData(fd_.get())) {
    return ErrnoError(err, "syncing the event log");
  }
  return fresh ? SyncFolder() : Status();
}

Status FileLog::BeginSegment() {
  // The old segment gives its unused end back; if that fails it merely stays larger.
  if (fd_.valid() && ftruncate(fd_.get(), static_cast<off_t>(offset_)) == 0) {
    std::lock_guard lock(mutex_);
    if (listed_) segments_[current_first_] = offset_;
  }
  fd_.Reset();
  FW_ASSIGN(std::uint64_t size, SegmentSize());
  const std::uint64_t needed = std::max(kMinSegmentBytes, kSegmentHeaderBytes + pending_.size());
  LogPosition first = durable_ + 1;
  std::string path = PathOf(first);
  unlink(path.c_str());  // of an attempt that failed: holds nothing that was ever synced
  for (;;) {
    fd_.Reset(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd_.valid()) return ErrnoError(errno, "creating " + path);
    int err = ops_.Reserve(fd_.get(), size);
    if (err == 0) break;
    unlink(path.c_str());
    if ((err != ENOSPC && err != EFBIG && err != EDQUOT) || size <= needed) {
      return ErrnoError(err, "reserving space for the event log");
    }
    size = std::max(needed, size / 2);
  }
  std::string header;
  AppendSegmentHeader(first, header);
  if (int err = ops_.WriteAt(fd_.get(), header.data(), header.size(), 0)) {
    return ErrnoError(err, "writing the event log");
  }
  current_first_ = first;
  offset_ = header.size();
  capacity_ = size;
  listed_ = false;
  return {};
}

/// Errors: kUnavailable when the new segment would eat into the reserve.
Result<std::uint64_t> FileLog::SegmentSize() const {
  std::uint64_t needed = std::max(kMinSegmentBytes, kSegmentHeaderBytes + pending_.size());
  std::uint64_t size = std::max(needed, options_.segment_bytes);
  std::uint64_t available = 0, total = 0;
  if (ops_.Space(options_.folder, available, total) != 0) return size;
  while (size > needed && size + options_.reserve_bytes > available) size = std::max(needed, size / 2);
  if (size + options_.reserve_bytes > available) return Error(Code::kUnavailable, "the disk is full");
  return size;
}

Status FileLog::SyncFolder() const {
  Fd dir(open(options_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return ErrnoError(errno, "opening " + options_.folder);
  if (int err = ops_.Sync(dir.get())) return ErrnoError(err, "syncing " + options_.folder);
  return {};
}

void FileLog::DropPending() {
  if (pending_.empty()) return;
  pending_.clear();
  std::lock_guard lock(mutex_);
  next_ = durable_ + 1;
}

LogPosition FileLog::first_position() const {
  std::lock_guard lock(mutex_);
  return segments_.empty() ? durable_ + 1 : segments_.begin()->first;
}
LogPosition FileLog::durable_position() const {
  std::lock_guard lock(mutex_);
  return durable_;
}
LogPosition FileLog::next_position() const {
  std::lock_guard lock(mutex_);
  return next_;
}
std::uint64_t FileLog::disk_bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [first, bytes] : segments_) sum += bytes;
  return sum;
}

Result<FileLog::SegmentSpan> FileLog::Find(LogPosition position) const {
  std::lock_guard lock(mutex_);
  auto after = segments_.upper_bound(position);
  if (after == segments_.begin()) return Error(Code::kNotFound, "log record " + std::to_string(position) + " was trimmed");
  SegmentSpan span;
  span.readable_last = after == segments_.end() ? durable_ : std::min(durable_, after->first - 1);
  span.first = std::prev(after)->first;
  span.path = PathOf(span.first);
  return span;
}

Result<std::unique_ptr<LogReader>> FileLog::ReadFrom(LogPosition position) {
  LogPosition first = first_position();
  if (position < first || position > next_position()) {
    return Error(Code::kNotFound, "the event log begins at " + std::to_string(first) + " and ends before " +
                                      std::to_string(next_position()));
  }
  return std::unique_ptr<LogReader>(new SegmentReader(*this, position));
}

Status FileLog::TrimBefore(LogPosition position) {
  for (;;) {
    std::string path;
    {
      std::lock_guard lock(mutex_);
      if (segments_.size() < 2 || std::next(segments_.begin())->first > position) return {};
      path = PathOf(segments_.begin()->first);
      segments_.erase(segments_.begin());
    }
    // Oldest first, so a crash leaves no hole. A file that stays is found and trimmed after the next start.
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "removing " + path);
  }
}

std::uint64_t FileLog::TrimmableBytes(LogPosition position) const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (auto at = segments_.begin(); at != segments_.end() && std::next(at) != segments_.end(); ++at) {
    if (std::next(at)->first > position) break;
    sum += at->second;
  }
  return sum;
}

}  // namespace fleetward::store
