// A folder of trusted CAs in the form that TLS libraries look up (`capath`): a PEM file and a link named by its hash.
#pragma once

#include <string>

#include "fleetward/base/result.h"
#include "fleetward/crypto/certificate.h"

namespace fleetward::crypto {

/// Adds the CA under `name`.pem; TLS handshakes from now on trust it. Adding it again changes nothing.
Status TrustCa(const std::string& folder, const std::string& name, const Certificate& ca);

}  // namespace fleetward::crypto
