#include "fleetward/access/operator_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "fleetward/base/log.h"

namespace fleetward::access {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::uint64_t kMaxSegment = 64 << 20;

std::string SegmentName(std::uint64_t first) {
  char name[32];
  std::snprintf(name, sizeof name, "%020llu.log", static_cast<unsigned long long>(first));
  return name;
}

// First sequence numbers of all files, ascending.
Result<std::vector<std::uint64_t>> Segments(const std::string& folder) {
  std::vector<std::uint64_t> found;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return ErrnoError(errno, "opening " + folder);
  while (const dirent* entry = readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name.size() == 24 && name.ends_with(kSuffix)) found.push_back(std::strtoull(entry->d_name, nullptr, 10));
  }
  closedir(dir);
  std::sort(found.begin(), found.end());
  return found;
}

// The whole lines of a text.
std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    lines.push_back(text.substr(0, end));
  }
  return lines;
}

Result<Timestamp> FirstTime(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoError(errno, "opening " + path);
  std::string head(8192, '\0');
  ssize_t got = pread(file.get(), head.data(), head.size(), 0);
  if (got < 0) return ErrnoError(errno, "reading " + path);
  head.resize(static_cast<std::size_t>(got));
  auto lines = Lines(head);
  if (lines.empty()) return Timestamp();
  FW_ASSIGN(OperatorAction first, ParseOperatorActionLine(lines.front()));
  return first.time;
}

void SyncFolder(const std::string& folder) {
  Fd dir(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.valid()) fsync(dir.get());
}

}  // namespace

Result<std::unique_ptr<OperatorLog>> OperatorLog::Open(OperatorLogOptions options) {
  std::unique_ptr<OperatorLog> log(new OperatorLog(std::move(options)));
  FW_TRY(MakeDirs(log->options_.folder, 0700));
  FW_TRY(log->Recover());
  log->syncer_ = std::thread([raw = log.get()] { raw->SyncLoop(); });
  return log;
}

OperatorLog::~OperatorLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (syncer_.joinable()) syncer_.join();
}

Status OperatorLog::Recover() {
  FW_ASSIGN(auto segments, Segments(options_.folder));
  if (segments.empty()) return OpenSegment(1);
  std::string path = options_.folder + '/' + SegmentName(segments.back());
  FW_ASSIGN(std::string text, ReadFile(path, kMaxSegment));
  std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  next_ = segments.back();
  auto lines = Lines(std::string_view(text).substr(0, whole));
  if (!lines.empty()) {
    FW_ASSIGN(OperatorAction last, ParseOperatorActionLine(lines.back()));
    next_ = last.sequence + 1;
  }
  file_.Reset(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file_.valid()) return ErrnoError(errno, "opening " + path);
  if (whole < text.size() && ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) {
    return ErrnoError(errno, "cutting " + path);
  }
  file_bytes_ = whole;
  return {};
}

Status OperatorLog::OpenSegment(std::uint64_t first) {
  std::string path = options_.folder + '/' + SegmentName(first);
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoError(errno, "making " + path);
  if (file_.valid()) fdatasync(file_.get());
  SyncFolder(options_.folder);
  file_ = std::move(file);
  file_bytes_ = 0;
  return {};
}

// Writes at the known end, so that a line that came through in part is overwritten by its next attempt.
Status OperatorLog::Append(const std::string& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    ssize_t wrote = pwrite(file_.get(), line.data() + done, line.size() - done, static_cast<off_t>(file_bytes_ + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return ErrnoError(wrote < 0 ? errno : EIO, "writing the operator log");
    done += static_cast<std::size_t>(wrote);
  }
  file_bytes_ += line.size();
  dirty_ = true;
  return {};
}

void OperatorLog::WriteBacklog() {
  while (!backlog_.empty()) {
    const auto& [sequence, line] = backlog_.front();
    Status written = file_bytes_ >= options_.segment_bytes ? OpenSegment(sequence) : Status();
    if (written.ok()) written = Append(line);
    if (!written.ok()) {
      log::Warning("operator-log-waits", {{"actions", backlog_.size()}, {"error", written.error().ToString()}});
      return;
    }
    backlog_.pop_front();
  }
}

void OperatorLog::Record(OperatorAction action) {
  std::lock_guard lock(mutex_);
  if (backlog_.size() >= options_.backlog) {
    log::Error("operator-log-lost-an-action", {{"operation", action.operation}, {"key", action.access_key_id}});
    return;
  }
  action.sequence = next_++;
  bool waits = !backlog_.empty();  // then the sync loop tries again, once a round
  backlog_.emplace_back(action.sequence, OperatorActionLine(action) + '\n');
  if (!waits) WriteBacklog();
  wake_.notify_one();
}

void OperatorLog::SyncLoop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || dirty_ || !backlog_.empty(); });
    if (!stopping_) wake_.wait_for(lock, options_.sync_every, [this] { return stopping_; });
    WriteBacklog();
    if (dirty_) {
      dirty_ = false;
      Fd file(dup(file_.get()));
      lock.unlock();
      if (!file.valid() || fdatasync(file.get()) != 0) log::Warning("operator-log-not-synced", {{"errno", errno}});
      lock.lock();
    }
    if (stopping_ && (!dirty_ || backlog_.empty())) return;
  }
}

Result<std::vector<OperatorAction>> OperatorLog::Read(std::uint64_t after, Timestamp since, std::size_t limit) const {
  FW_ASSIGN(auto segments, Segments(options_.folder));
  // Files that end before what is asked for are not opened.
  std::size_t begin = 0;
  for (std::size_t i = 1; i < segments.size() && segments[i] <= after + 1; ++i) begin = i;
  while (begin + 1 < segments.size()) {
    FW_ASSIGN(Timestamp first, FirstTime(options_.folder + '/' + SegmentName(segments[begin + 1])));
    if (first >= since) break;
    ++begin;
  }
  std::vector<OperatorAction> actions;
  for (std::size_t i = begin; i < segments.size() && actions.size() < limit; ++i) {
    FW_ASSIGN(std::string text, ReadFile(options_.folder + '/' + SegmentName(segments[i]), kMaxSegment));
    for (std::string_view line : Lines(text)) {
      FW_ASSIGN(OperatorAction action, ParseOperatorActionLine(line));
      if (action.sequence <= after || action.time < since) continue;
      actions.push_back(std::move(action));
      if (actions.size() == limit) break;
    }
  }
  return actions;
}

Status OperatorLog::Expire(Timestamp before) {
  FW_ASSIGN(auto segments, Segments(options_.folder));
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    // A file's last action is older than the next file's first.
    FW_ASSIGN(Timestamp next, FirstTime(options_.folder + '/' + SegmentName(segments[i + 1])));
    if (next >= before) return {};
    std::string path = options_.folder + '/' + SegmentName(segments[i]);
    if (unlink(path.c_str()) != 0) return ErrnoError(errno, "removing " + path);
  }
  return {};
}

}  // namespace fleetward::access
