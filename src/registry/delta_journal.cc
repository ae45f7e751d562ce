#include "delta_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "fleetward/policy/snapshot_journal.h"

namespace fleetward::registry {
namespace {

constexpr std::size_t kMaxWaiting = 16 << 20;

}  // namespace

Status DeltaJournal::Open(const std::string& snapshot_path) {
  path_ = policy::JournalPath(snapshot_path, 0);
  for (int i = 0; i < 2; ++i) {
    std::string path = policy::JournalPath(snapshot_path, i);
    files_[i].Reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!files_[i].valid()) return ErrnoError(errno, "opening " + path);
  }
  bytes_ = 0;
  covering_ = lost_ = false;
  waiting_.clear();
  return {};
}

Status DeltaJournal::Append(std::string_view delta) {
  if (!lost_) policy::AppendJournalRecord(delta, waiting_);
  if (lost_ || waiting_.size() > kMaxWaiting || bytes_ + waiting_.size() > policy::kMaxJournalBytes) {
    lost_ = true;
    ++losses_;
    waiting_ = {};
    return Error(Code::kUnavailable, path_ + ": more deltas than it may hold");
  }
  int file = files_[current_].get();
  Status written = WriteAll(file, waiting_, path_);
  if (written.ok() && ::fdatasync(file) != 0) written = ErrnoError(errno, "syncing " + path_);
  if (!written.ok()) {
    // Half a record would hide all that follow.
    if (::ftruncate(file, static_cast<off_t>(bytes_)) != 0) {
      lost_ = true;
      ++losses_;
      waiting_ = {};
    }
    return written;
  }
  bytes_ += waiting_.size();
  waiting_.clear();
  return {};
}

void DeltaJournal::BeginSnapshot() {
  losses_covered_ = losses_;
  if (covering_ || path_.empty()) return;
  covering_ = true;
  current_ ^= 1;
  bytes_ = 0;
}

Status DeltaJournal::EndSnapshot() {
  if (!covering_) return {};
  covering_ = false;
  int covered = files_[current_ ^ 1].get();
  if (::ftruncate(covered, 0) != 0) return ErrnoError(errno, "emptying " + path_);
  if (lost_ && losses_ == losses_covered_) {
    // What lies in the current file may end in half a record, and is covered as well.
    if (::ftruncate(files_[current_].get(), 0) != 0) return ErrnoError(errno, "emptying " + path_);
    bytes_ = 0;
    lost_ = false;
  }
  return {};
}

}  // namespace fleetward::registry
