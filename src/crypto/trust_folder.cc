#include "fleetward/crypto/trust_folder.h"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <memory>

#include "fleetward/base/file.h"
#include "openssl.h"

namespace fleetward::crypto {
namespace {

constexpr int kMaxNamesakes = 64;
constexpr std::string_view kSuffix = ".pem";

std::string LinkPath(const std::string& folder, unsigned long hash, int number) {
  char link[32];
  std::snprintf(link, sizeof link, "%08lx.%d", hash, number);
  return folder + '/' + link;
}

std::string TargetOf(const std::string& link) {
  char target[PATH_MAX];
  ssize_t size = readlink(link.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

Status TrustCa(const std::string& folder, const std::string& name, const Certificate& ca) {
  std::string file = name + std::string(kSuffix);
  FW_TRY(WriteFileAtomic(folder + '/' + file, ca.Pem(), 0644));
  // Names with the same hash are told apart by a number.
  unsigned long hash = X509_subject_name_hash(ca.impl().x509.get());
  for (int n = 0; n < kMaxNamesakes; ++n) {
    std::string path = LinkPath(folder, hash, n);
    if (symlink(file.c_str(), path.c_str()) == 0) return {};
    if (errno != EEXIST) return ErrnoError(errno, "linking " + path);
    if (TargetOf(path) == file) return {};
  }
  return Error(Code::kConflict, "too many CAs of the same name in " + folder);
}

Status DistrustCa(const std::string& folder, const std::string& name) {
  std::string file = name + std::string(kSuffix);
  auto pem = ReadFile(folder + '/' + file, kMaxPemBytes);
  if (!pem.ok()) return pem.error().code() == Code::kNotFound ? Status() : Status(std::move(pem).error());
  auto ca = Certificate::FromPem(*pem);
  if (ca.ok()) {
    // Look-ups end at the first number that is missing: the last link fills the gap.
    unsigned long hash = X509_subject_name_hash(ca->impl().x509.get());
    int ours = -1, last = -1;
    for (int n = 0; n < kMaxNamesakes; ++n) {
      std::string target = TargetOf(LinkPath(folder, hash, n));
      if (target.empty()) break;
      if (target == file) ours = n;
      last = n;
    }
    if (ours >= 0) {
      std::string path = LinkPath(folder, hash, ours), from = LinkPath(folder, hash, last);
      int done = ours == last ? unlink(path.c_str()) : rename(from.c_str(), path.c_str());
      if (done != 0) return ErrnoError(errno, "unlinking " + path);
    }
  }
  std::string path = folder + '/' + file;
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "removing " + path);
  return {};
}

Result<std::vector<std::string>> TrustedNames(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (!dir) return ErrnoError(errno, "reading " + folder);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (name.ends_with(kSuffix)) names.emplace_back(name.substr(0, name.size() - kSuffix.size()));
  }
  return names;
}

}  // namespace fleetward::crypto
