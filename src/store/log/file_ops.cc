#include "file_ops.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace fleetward::store {

int FileOps::WriteAt(int fd, const char* data, std::size_t size, std::uint64_t offset) {
  while (size > 0) {
    ssize_t written = pwrite(fd, data, size, static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data += written;
    size -= static_cast<std::size_t>(written);
    offset += static_cast<std::uint64_t>(written);
  }
  return 0;
}

int FileOps::SyncData(int fd) { return fdatasync(fd) == 0 ? 0 : errno; }
int FileOps::Sync(int fd) { return fsync(fd) == 0 ? 0 : errno; }

int FileOps::Reserve(int fd, std::uint64_t size) {
  while (fallocate(fd, 0, 0, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
  }
  return 0;
}

int FileOps::Space(const std::string& folder, std::uint64_t& available, std::uint64_t& total) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return errno;
  available = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  total = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
  return 0;
}

FileOps& FileOps::System() {
  static FileOps ops;
  return ops;
}

}  // namespace fleetward::store
