// Digests, MACs, comparison without timing, random bytes. OpenSSL stays behind this module.
#pragma once

#include <string>
#include <string_view>

namespace fleetward::crypto {

/// 32 bytes.
std::string Sha256(std::string_view data);
/// 64 lower-case hex digits.
std::string Sha256Hex(std::string_view data);
/// 32 bytes.
std::string HmacSha256(std::string_view key, std::string_view data);
/// Takes the same time whatever the contents; lengths are no secret.
bool ConstantTimeEquals(std::string_view a, std::string_view b);
/// Cryptographically strong. Aborts when the generator fails.
std::string RandomBytes(std::size_t count);

}  // namespace fleetward::crypto
