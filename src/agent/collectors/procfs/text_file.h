// Reads kernel files into one reused buffer; such files report no size and change while they are read.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"

namespace fleetward::agent {

class TextFile {
 public:
  /// `keep_open` saves an open() per reading, for files of which there is one per process (not for /proc/PID).
  explicit TextFile(std::string path, bool keep_open = false) : path_(std::move(path)), keep_open_(keep_open) {}

  /// The whole content, valid until the next call. Errors: kNotFound, kIo, kInvalidArgument (over 64 MiB).
  Result<std::string_view> Read();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool keep_open_;
  Fd fd_;
  std::string buffer_;
};

/// Reads at most `max_bytes` of a small file into `buffer`; empty when it cannot be read (a process that has ended).
std::string_view ReadSmall(const std::string& path, std::string& buffer, std::size_t max_bytes = 4096);

}  // namespace fleetward::agent
