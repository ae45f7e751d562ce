#include "fleetward/crypto/peer_certificate.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace fleetward::crypto {

std::optional<std::array<std::uint8_t, 32>> TakePeerFingerprint(void* x509) {
  auto* certificate = static_cast<X509*>(x509);
  if (certificate == nullptr) return std::nullopt;
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  bool ok = X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1 && size == digest.size();
  X509_free(certificate);
  if (!ok) return std::nullopt;
  return digest;
}

std::string TakePeerDer(void* x509) {
  constexpr int kMaxBytes = 16 * 1024;
  auto* certificate = static_cast<X509*>(x509);
  if (certificate == nullptr) return {};
  std::string der;
  int size = i2d_X509(certificate, nullptr);
  if (size > 0 && size <= kMaxBytes) {
    der.resize(static_cast<std::size_t>(size));
    auto* at = reinterpret_cast<unsigned char*>(der.data());
    if (i2d_X509(certificate, &at) != size) der.clear();
  }
  X509_free(certificate);
  return der;
}

}  // namespace fleetward::crypto
