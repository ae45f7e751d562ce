// A folder of trusted CAs in the form that TLS libraries look up (`capath`): a PEM file and a link named by its hash.
#pragma once

#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/crypto/certificate.h"

namespace fleetward::crypto {

/// Adds the CA under `name`.pem; TLS handshakes from now on trust it. Adding it again changes nothing.
Status TrustCa(const std::string& folder, const std::string& name, const Certificate& ca);
/// Removes it again. One that is not there is no error.
Status DistrustCa(const std::string& folder, const std::string& name);
/// The names that are trusted.
Result<std::vector<std::string>> TrustedNames(const std::string& folder);

}  // namespace fleetward::crypto
