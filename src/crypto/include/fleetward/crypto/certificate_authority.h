// The local CA: signs device certificates and the server certificate of API and broker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/crypto/certificate.h"
#include "fleetward/crypto/private_key.h"

namespace fleetward::crypto {

/// Thread-safe.
class CertificateAuthority {
 public:
  /// DIR/ca.pem and DIR/ca.key (0600): read, or made at the first start (EC P-256, valid to the end of 2049).
  /// Errors: kIo, kCorrupt (only one of the two files is there, or they do not belong together).
  static Result<CertificateAuthority> OpenOrCreate(const std::string& dir, Timestamp now);
  /// In memory only, for tests and throw-away servers.
  static Result<CertificateAuthority> Create(Timestamp now);

  /// For a key made here. Valid from two minutes ago to 2049-12-31T23:59:59Z (core.md §4), for client
  /// authentication only: a device can never pass for the server.
  Result<Certificate> IssueDevice(const PrivateKey& key, Timestamp now) const;
  /// The request's key and subject; its extensions are not copied.
  Result<Certificate> IssueDevice(const CertificateRequest& request, Timestamp now) const;
  /// For server authentication; `names` are host names and addresses. Valid for 825 days.
  Result<Certificate> IssueServer(const PrivateKey& key, const std::vector<std::string>& names, Timestamp now) const;

  /// For signing messages (SNS), neither client nor server authentication. Valid for 396 days.
  Result<Certificate> IssueSigner(const PrivateKey& key, std::string_view common_name, Timestamp now) const;

  const Certificate& certificate() const { return certificate_; }

 private:
  CertificateAuthority(Certificate certificate, PrivateKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Certificate certificate_;
  PrivateKey key_;
};

struct ServerIdentity {
  std::string certificate_path;  // DIR/server.pem: the certificate, then the CA
  std::string key_path;          // DIR/server.key, 0600
  bool issued = false;           // made or renewed by this call
};

/// Every name the server certificate has (decision 33): localhost, 127.0.0.1, ::1, this host's name, `configured`.
/// Sorted, without duplicates. Names that are neither host names nor addresses are an error (kInvalidArgument).
Result<std::vector<std::string>> ServerNames(const std::vector<std::string>& configured);

/// Keeps DIR/server.pem valid: made when absent, re-issued when `names` differ from its own, when it was not signed
/// by this CA, or when less than a third of its life is left.
Result<ServerIdentity> EnsureServerCertificate(const std::string& dir, const CertificateAuthority& ca,
                                               const std::vector<std::string>& names, Timestamp now);

}  // namespace fleetward::crypto
