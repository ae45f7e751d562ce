#include "delta_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "fleetward/policy/snapshot_journal.h"

namespace fleetward::registry {

Status DeltaJournal::Open(const std::string& snapshot_path) {
  path_ = policy::JournalPath(snapshot_path, 0);
  for (int i = 0; i < 2; ++i) {
    std::string path = policy::JournalPath(snapshot_path, i);
    files_[i].Reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!files_[i].valid()) return ErrnoError(errno, "opening " + path);
  }
  bytes_ = 0;
  covering_ = false;
  return {};
}

Status DeltaJournal::Append(std::string_view delta) {
  record_.clear();
  policy::AppendJournalRecord(delta, record_);
  FW_TRY(WriteAll(files_[current_].get(), record_, path_));
  bytes_ += record_.size();
  if (::fdatasync(files_[current_].get()) != 0) return ErrnoError(errno, "syncing " + path_);
  return {};
}

void DeltaJournal::BeginSnapshot() {
  if (covering_ || path_.empty()) return;
  covering_ = true;
  current_ ^= 1;
  bytes_ = 0;
}

Status DeltaJournal::EndSnapshot() {
  if (!covering_) return {};
  covering_ = false;
  if (::ftruncate(files_[current_ ^ 1].get(), 0) != 0) return ErrnoError(errno, "emptying " + path_);
  return {};
}

}  // namespace fleetward::registry
