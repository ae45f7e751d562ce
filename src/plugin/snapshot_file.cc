#include "snapshot_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "fleetward/base/file.h"
#include "fleetward/policy/snapshot_journal.h"

namespace fleetward::plugin {

Status SnapshotFile::Load(policy::SnapshotState& state) {
  Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT) return Error(Code::kNotFound, "no policy snapshot yet: " + path_);
    return ErrnoError(errno, "opening " + path_);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return ErrnoError(errno, "reading the size of " + path_);
  auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return Error(Code::kCorrupt, "empty policy snapshot: " + path_);
  // The file is replaced by rename, never written in place: the mapping stays whole whatever comes after.
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED) return ErrnoError(errno, "mapping " + path_);
  std::shared_ptr<const void> owner(bytes, [size](const void* start) {
    ::munmap(const_cast<void*>(start), size);
  });
  FW_TRY(state.Load(std::string_view(static_cast<const char*>(bytes), size), owner));
  // Which of the two is the older one depends on when the server ended; what does not go on is passed over.
  journal_ = {};
  for (int index : {0, 1, 0}) {
    auto journal = ReadFile(policy::JournalPath(path_, index), policy::kMaxJournalBytes);
    if (journal.ok()) {
      policy::ApplyJournal(*journal, state);
    } else if (journal.error().code() != Code::kNotFound) {
      journal_ = journal.error();
    }
  }
  return {};
}

}  // namespace fleetward::plugin
