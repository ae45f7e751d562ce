// The system calls of the log behind one table, so that tests can make disks fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fleetward::store {

/// Each returns 0 or an errno value.
class FileOps {
 public:
  virtual ~FileOps() = default;
  virtual int WriteAt(int fd, const char* data, std::size_t size, std::uint64_t offset);
  virtual int SyncData(int fd);
  virtual int Sync(int fd);
  virtual int Reserve(int fd, std::uint64_t size);  // not offered by the file system: 0
  /// Bytes an unprivileged process may still use, and the file system's size.
  virtual int Space(const std::string& folder, std::uint64_t& available, std::uint64_t& total);
  static FileOps& System();
};

}  // namespace fleetward::store
