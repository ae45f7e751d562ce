// Device certificates: issuing, states, deletion (core.md §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct IssuedCertificate {
  Certificate certificate;
  std::string pem;
  std::string public_key_pem;   // CreateKeysAndCertificate only
  std::string private_key_pem;  // the secret, given out once and kept nowhere
};

/// A certificate that is yet to be stored: all work on keys and signatures is done.
struct ReadyCertificate {
  Certificate certificate;
  std::string pem;
};

class Certificates {
 public:
  Certificates(const Context& context, const crypto::CertificateAuthority& ca, crypto::KeyGenerator& keys)
      : context_(context), ca_(ca), keys_(keys) {}

  /// May wait for an RSA key. Errors: kThrottled (too many at once).
  Result<IssuedCertificate> CreateKeysAndCertificate(std::string_view actor, bool active);
  /// Errors: kInvalidArgument (the request is unreadable, weak, or its signature wrong).
  Result<IssuedCertificate> CreateFromCsr(std::string_view actor, std::string_view csr_pem, bool active);
  /// Takes a certificate without asking who signed it (RegisterCertificateWithoutCA, import). Errors:
  /// kCertificateInvalid, kAlreadyExists (fields resourceId, resourceArn), kInvalidArgument (status).
  Result<Certificate> RegisterWithoutCa(std::string_view actor, std::string_view pem, CertificateStatus status);

  /// A certificate signed by a registered CA that is active; `ca_pem` says which when it is not plain. Errors:
  /// kCertificateInvalid (no registered CA signed it, expired, weak), kCertificateConflict (several did),
  /// kCertificateState (the CA is not active), kAlreadyExists, kInvalidArgument (status).
  Result<Certificate> RegisterWithCa(std::string_view actor, std::string_view pem,
                                     const std::optional<std::string>& ca_pem, CertificateStatus status);
  /// Just in time: an unknown certificate was shown at a connect. It is kept as PENDING_ACTIVATION when a CA that is
  /// active and set to auto-registration signed it; gives it as it is then. Nothing when there is no such CA.
  /// Errors: kCertificateInvalid.
  Result<std::optional<Certificate>> RegisterJustInTime(std::string_view der);

  // The same calls in two steps, for many certificates in one transaction: each of these works outside of it, Store inside.
  Result<ReadyCertificate> FromCsr(std::string_view csr_pem, bool active) const;
  Result<ReadyCertificate> WithoutCa(std::string_view pem, CertificateStatus status) const;
  Result<ReadyCertificate> WithCa(std::string_view pem, const std::optional<std::string>& ca_pem,
                                  CertificateStatus status) const;
  /// Errors: kAlreadyExists, kCertificateState (its CA is not active any more).
  Result<Certificate> Store(std::string_view actor, const Certificate& certificate);

  Result<Certificate> Describe(const model::CertificateId& id) const;
  /// By time of creation; may be descending.
  Result<Page<Certificate>> List(const PageRequest& page) const;
  /// Those signed by a registered CA, in the same order. An unknown CA has none.
  Result<Page<Certificate>> ListByCa(const std::string& ca_id, const PageRequest& page) const;
  /// Errors: kNotFound, kInvalidArgument (a status users cannot set), kCertificateState (REVOKED is final).
  Status UpdateStatus(std::string_view actor, const model::CertificateId& id, CertificateStatus status);
  /// Errors: kNotFound, kCertificateState (ACTIVE), kDeleteConflict (things, or policies without `force`).
  Status Delete(std::string_view actor, const model::CertificateId& id, bool force);

 private:
  ReadyCertificate Ready(const crypto::Certificate& x509, CertificateStatus status, CertificateMode mode,
                         const std::string& ca_id = {}) const;

  const Context& context_;
  const crypto::CertificateAuthority& ca_;
  crypto::KeyGenerator& keys_;
};

/// The PEM text of a stored certificate.
std::string PemOf(const Certificate& certificate);

}  // namespace fleetward::registry
