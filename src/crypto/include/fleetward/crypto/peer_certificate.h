// What a TLS peer's certificate is known by, from OpenSSL's own handle as the broker hands it out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace fleetward::crypto {

/// Takes over an `X509*` (may be null), frees it, and returns the SHA-256 of its DER form (core.md §1).
std::optional<std::array<std::uint8_t, 32>> TakePeerFingerprint(void* x509);
/// The same for its DER form; empty for none, or one that is longer than 16 KB.
std::string TakePeerDer(void* x509);

}  // namespace fleetward::crypto
