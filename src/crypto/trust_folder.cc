#include "fleetward/crypto/trust_folder.h"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>

#include "fleetward/base/file.h"
#include "openssl.h"

namespace fleetward::crypto {

Status TrustCa(const std::string& folder, const std::string& name, const Certificate& ca) {
  std::string file = name + ".pem";
  FW_TRY(WriteFileAtomic(folder + '/' + file, ca.Pem(), 0644));
  // Names with the same hash are told apart by a number.
  for (int n = 0; n < 10; ++n) {
    char link[32];
    std::snprintf(link, sizeof link, "%08lx.%d", X509_subject_name_hash(ca.impl().x509.get()), n);
    std::string path = folder + '/' + link;
    if (symlink(file.c_str(), path.c_str()) == 0) return {};
    if (errno != EEXIST) return ErrnoError(errno, "linking " + path);
    char target[PATH_MAX];
    ssize_t size = readlink(path.c_str(), target, sizeof target);
    if (size > 0 && std::string(target, static_cast<std::size_t>(size)) == file) return {};
  }
  return Error(Code::kConflict, "too many CAs of the same name in " + folder);
}

}  // namespace fleetward::crypto
