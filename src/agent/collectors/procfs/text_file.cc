#include "collectors/procfs/text_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace fleetward::agent {
namespace {

constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kMaxBytes = 64 << 20;

}  // namespace

Result<std::string_view> TextFile::Read() {
  if (!fd_.valid()) {
    fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd_.valid()) {
      if (errno == ENOENT) return Error(Code::kNotFound, path_ + " does not exist");
      return ErrnoError(errno, "opening " + path_);
    }
  }
  if (buffer_.size() < kFirstBuffer) buffer_.resize(kFirstBuffer);
  std::size_t size = 0;
  for (;;) {
    if (size == buffer_.size()) {
      if (size >= kMaxBytes) return Error(Code::kInvalidArgument, path_ + " is larger than 64 MiB");
      buffer_.resize(size * 2);
    }
    ssize_t got = pread(fd_.get(), buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      Error error = ErrnoError(errno, "reading " + path_);
      fd_.Reset();
      return error;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (!keep_open_) fd_.Reset();
  return std::string_view(buffer_.data(), size);
}

std::string_view ReadSmall(const std::string& path, std::string& buffer, std::size_t max_bytes) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {};
  if (buffer.size() < max_bytes) buffer.resize(max_bytes);
  ssize_t got = read(fd.get(), buffer.data(), max_bytes);
  return got > 0 ? std::string_view(buffer.data(), static_cast<std::size_t>(got)) : std::string_view();
}

}  // namespace fleetward::agent
