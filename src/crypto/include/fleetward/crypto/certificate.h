// X.509 certificates and certificate requests: bounded parsing, facts, checks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/crypto/private_key.h"

namespace fleetward::crypto {

/// Longest PEM text that is looked at (the service model's bound of certificatePem).
inline constexpr std::size_t kMaxPemBytes = 65536;

/// One attribute of a distinguished name, in the certificate's order.
struct NameAttribute {
  std::string type;   // OpenSSL's short name: "CN", "O", "OU", "C", "ST", "serialNumber", "title", "SN" …
  std::string value;  // UTF-8
  bool operator==(const NameAttribute&) const = default;
};

enum class AlternativeKind : std::uint8_t { kRfc822Name, kDnsName, kDirectoryName, kUri, kIpAddress };
struct AlternativeName {
  AlternativeKind kind = AlternativeKind::kDnsName;
  std::string value;  // directory names as "CN=x,O=y", addresses in text form
  bool operator==(const AlternativeName&) const = default;
};

/// An immutable certificate. Copies share it. Thread-safe.
class Certificate {
 public:
  /// The first CERTIFICATE block; text around it is ignored. Errors: kCertificateInvalid.
  static Result<Certificate> FromPem(std::string_view pem);
  /// All blocks of a chain, at most 10, the leaf first. Errors: kCertificateInvalid.
  static Result<std::vector<Certificate>> ChainFromPem(std::string_view pem);
  /// Exactly one certificate. Errors: kCertificateInvalid.
  static Result<Certificate> FromDer(std::string_view der);

  const std::string& der() const;
  std::string Pem() const;
  /// SHA-256 of the DER form, 64 lower-case hex digits (core.md §1).
  const std::string& id() const;
  Timestamp not_before() const;
  Timestamp not_after() const;
  /// Lower-case hex without leading zeros.
  std::string SerialHex() const;
  std::vector<NameAttribute> Subject() const;
  std::vector<NameAttribute> Issuer() const;
  /// RFC 2253 text of the subject, for listings: at most 1 KB.
  std::string SubjectText() const;
  std::vector<AlternativeName> SubjectAlternativeNames() const;
  std::vector<AlternativeName> IssuerAlternativeNames() const;
  KeyStrength strength() const;
  /// DER of the subject and issuer names, for finding a signer.
  std::string SubjectDer() const;
  std::string IssuerDer() const;

  /// True for a CA (basic constraints).
  bool IsCa() const;
  /// True when the signature is by `signer`'s key and the issuer name is its subject.
  bool IsSignedBy(const Certificate& signer) const;
  /// True when the key belongs to this certificate.
  bool Matches(const PrivateKey& key) const;
  /// True for signatures over MD5, SHA-1 or other digests that the service does not take (core.md §4).
  bool HasWeakSignature() const;

  struct Impl;
  explicit Certificate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// A PKCS#10 request whose signature was checked.
class CertificateRequest {
 public:
  /// Errors: kCertificateInvalid (unreadable, bad signature, weak or unusual key).
  static Result<CertificateRequest> FromPem(std::string_view pem);
  /// A request for `key` with one common name, as devices make it.
  static Result<std::string> MakePem(const PrivateKey& key, std::string_view common_name);

  std::vector<NameAttribute> Subject() const;
  KeyStrength strength() const;

  struct Impl;
  explicit CertificateRequest(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace fleetward::crypto
