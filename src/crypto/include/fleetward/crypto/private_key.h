// Asymmetric keys: making them, reading and printing them as PEM.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::crypto {

enum class KeyKind : std::uint8_t { kRsa, kEcP256, kEcP384, kEcP521, kOther };

/// A public key's kind and size in bits.
struct KeyStrength {
  KeyKind kind = KeyKind::kOther;
  int bits = 0;
};

/// Enough for devices: RSA of 2048 to 8192 bits, or EC P-256, P-384 (core.md §4). `allow_p521` for registered
/// certificates. The upper bound keeps handshakes payable.
bool IsAcceptableDeviceKey(const KeyStrength& strength, bool allow_p521 = false);

/// RSA signatures with PKCS#1 v1.5 padding.
enum class SignatureDigest : std::uint8_t { kSha1, kSha256 };

/// A key pair. Copies share one immutable key. Never printed but by PrivatePem.
class PrivateKey {
 public:
  /// About 0.1 ms.
  static Result<PrivateKey> GenerateP256();
  /// 50-300 ms of one core: the API asks a KeyGenerator instead (threats.md r).
  static Result<PrivateKey> GenerateRsa2048();
  /// Unencrypted PEM (PKCS#8, PKCS#1 or SEC1). Error: kInvalidArgument.
  static Result<PrivateKey> FromPem(std::string_view pem);

  /// The secret. RSA as PKCS#1 ("RSA PRIVATE KEY", as the service prints it), others as PKCS#8 ("PRIVATE KEY").
  std::string PrivatePem() const;
  /// "PUBLIC KEY".
  std::string PublicPem() const;
  KeyStrength strength() const;
  /// Signature over `data`. About 1 ms for RSA-2048. Error: kInternal.
  Result<std::string> Sign(SignatureDigest digest, std::string_view data) const;

  struct Impl;
  explicit PrivateKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace fleetward::crypto
