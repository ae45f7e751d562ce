#include "trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace fleetward::agent {
namespace {

Status CheckOne(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoError(errno, path);
  bool ours = info.st_uid == 0 || info.st_uid == geteuid();
  bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  bool open = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky;
  if (ours && !open) return {};
  return Error(Code::kPermissionDenied, path + " can be changed by others than root and the agent's user");
}

}  // namespace

Status CheckTrusted(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) {
    if (errno == ENOENT) return Error(Code::kNotFound, path + " does not exist");
    return ErrnoError(errno, path);
  }
  std::string at = real;
  free(real);
  for (;;) {
    FW_TRY(CheckOne(at));
    if (at == "/") return {};
    std::size_t slash = at.rfind('/');
    at.resize(slash == 0 ? 1 : slash);
  }
}

}  // namespace fleetward::agent
