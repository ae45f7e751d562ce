// Small-file helpers. Every error names the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// Reads a whole file of at most `max_bytes`. Errors: kNotFound, kIo, kInvalidArgument (too large).
Result<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes = 16 << 20);

/// Writes all of `content` at the descriptor's place; `path` is for the error. Errors: kIo, kUnavailable (no room).
Status WriteAll(int fd, std::string_view content, const std::string& path);

/// Writes to a temporary name beside `path`, syncs, renames over it and syncs the folder: old or new, never half.
Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode = 0644);

/// Makes the folder and its parents. An existing folder keeps its mode.
Status MakeDirs(const std::string& path, unsigned mode = 0755);

}  // namespace fleetward
