#include "fleetward/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace fleetward {

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, "writing " + path);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

void Fd::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Result<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return Error(Code::kNotFound, path + " does not exist");
    return ErrnoError(errno, "opening " + path);
  }
  std::string content;
  char buffer[65536];
  for (;;) {
    ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, "reading " + path);
    }
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      return Error(Code::kInvalidArgument, path + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode) {
  // One name, so that what a killed process left is taken away by the next write; exclusive, so that its mode and owner
  // are this one's.
  std::string temporary = path + ".tmp";
  unlink(temporary.c_str());
  {
    Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.valid()) return ErrnoError(errno, "creating " + temporary);
    fchmod(fd.get(), mode);  // whatever the umask
    Status written = WriteAll(fd.get(), content, temporary);
    if (written.ok() && fsync(fd.get()) != 0) written = ErrnoError(errno, "syncing " + temporary);
    if (!written.ok()) {
      unlink(temporary.c_str());
      return written;
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = ErrnoError(errno, "renaming to " + path);
    unlink(temporary.c_str());
    return error;
  }
  std::string folder = path.substr(0, path.find_last_of('/'));
  if (folder.empty() || folder == path) folder = path[0] == '/' ? "/" : ".";
  Fd dir(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.valid()) fsync(dir.get());
  return {};
}

Status MakeDirs(const std::string& path, unsigned mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return ErrnoError(errno, "making " + part);
    if (slash == std::string::npos) break;
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return Error(Code::kIo, path + " is not a folder");
  }
  return {};
}

}  // namespace fleetward
