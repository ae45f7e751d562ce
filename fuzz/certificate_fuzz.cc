// Certificates and certificate requests as an API caller or a TLS client sends them: PEM and DER.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fleetward/crypto/certificate.h"

using namespace fleetward::crypto;

namespace {

void Look(const Certificate& certificate) {
  (void)certificate.Pem();
  (void)certificate.SerialHex();
  (void)certificate.Subject();
  (void)certificate.Issuer();
  (void)certificate.SubjectText();
  (void)certificate.SubjectAlternativeNames();
  (void)certificate.IssuerAlternativeNames();
  (void)certificate.strength();
  (void)certificate.IsCa();
  (void)certificate.HasWeakSignature();
  (void)certificate.not_after();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto chain = Certificate::ChainFromPem(text); chain.ok()) {
    for (const Certificate& certificate : *chain) Look(certificate);
  }
  if (auto der = Certificate::FromDer(text); der.ok()) Look(*der);
  if (auto request = CertificateRequest::FromPem(text); request.ok()) (void)request->Subject();
  (void)PrivateKey::FromPem(text);
  return 0;
}
