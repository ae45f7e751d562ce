// What policies may ask about a certificate: iot:Certificate.Subject.* and Issuer.* (core.md §6).
#pragma once

#include <vector>

#include "fleetward/crypto/certificate.h"
#include "fleetward/policy/facts.h"

namespace fleetward::registry {

std::vector<policy::CertificateAttribute> CertificateFacts(const crypto::Certificate& certificate);

}  // namespace fleetward::registry
