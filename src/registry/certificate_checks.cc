#include "certificate_checks.h"

#include <algorithm>

#include "fleetward/crypto/digest.h"

namespace fleetward::registry {
namespace {

Error Invalid(std::string message) { return Error(Code::kCertificateInvalid, std::move(message)); }

}  // namespace

Status CheckForeignCertificate(const crypto::Certificate& certificate, Timestamp now, std::string_view what) {
  std::string name(what);
  if (!crypto::IsAcceptableDeviceKey(certificate.strength(), true)) {
    return Invalid("The key of the " + name + " must be RSA of 2048 to 8192 bits or EC on P-256, P-384 or P-521");
  }
  if (certificate.HasWeakSignature()) {
    return Invalid("The " + name + " must be signed with SHA-256, SHA-384 or SHA-512");
  }
  if (certificate.not_after() <= now) return Invalid("The " + name + " has expired");
  return {};
}

Status CheckCaCertificate(const crypto::Certificate& certificate, Timestamp now) {
  if (!certificate.IsCa()) {
    return Invalid("The certificate is not a CA certificate: its basic constraints must say CA:TRUE");
  }
  return CheckForeignCertificate(certificate, now, "CA certificate");
}

Status CheckVerification(std::string_view pem, const crypto::Certificate& ca, std::string_view code, Timestamp now) {
  auto parsed = crypto::Certificate::FromPem(pem);
  if (!parsed.ok()) return Invalid("The verification certificate cannot be read: " + parsed.error().message());
  FW_TRY(CheckForeignCertificate(*parsed, now, "verification certificate"));
  if (!parsed->IsSignedBy(ca)) {
    return Invalid("The verification certificate is not signed by the private key of the CA certificate");
  }
  std::vector<std::string> names;
  for (const crypto::NameAttribute& attribute : parsed->Subject()) {
    if (attribute.type == "CN") names.push_back(attribute.value);
  }
  if (names.size() != 1 || code.empty() || !crypto::ConstantTimeEquals(names.front(), code)) {
    return Error(Code::kRegistrationCodeInvalid,
                 "The common name of the verification certificate must be the account's registration code");
  }
  return {};
}

Result<std::optional<CaCertificate>> FindCaCertificate(ConstReader reader, std::string_view id) {
  FW_ASSIGN(auto record, reader.Get(kCaCertificates, id));
  if (!record) return std::optional<CaCertificate>();
  FW_ASSIGN(CaCertificate certificate, DecodeCaCertificate(id, *record));
  FW_ASSIGN(auto der, reader.Get(kCaCertificateBodies, id));
  if (!der) return Error(Code::kCorrupt, "a stored CA certificate has lost its body");
  certificate.der = std::move(*der);
  return std::optional<CaCertificate>(std::move(certificate));
}

std::string SubjectKey(std::string_view subject_der, std::string_view id) {
  return OrderedKey({crypto::Sha256Hex(subject_der), id});
}

Result<std::vector<CaCertificate>> SignersOf(ConstReader reader, const crypto::Certificate& certificate) {
  FW_ASSIGN(auto ids, PartsUnder(reader, kCaCertificatesBySubject, crypto::Sha256Hex(certificate.IssuerDer())));
  std::vector<CaCertificate> signers;
  for (const std::string& id : ids) {
    FW_ASSIGN(auto ca, FindCaCertificate(reader, id));
    if (!ca) continue;
    FW_ASSIGN(auto x509, crypto::Certificate::FromDer(ca->der));
    if (certificate.IsSignedBy(x509)) signers.push_back(std::move(*ca));
  }
  return signers;
}

}  // namespace fleetward::registry
