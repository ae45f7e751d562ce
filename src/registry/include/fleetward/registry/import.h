// Bulk creation of things with what belongs to them: many rows are one transaction (`fleetward import`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

/// One thing. Groups, type, billing group and policies must exist. At most one of certificate and CSR.
struct ImportRow {
  std::string thing_name{};
  std::string type{};
  std::string billing_group{};
  Attributes attributes{};
  std::vector<std::string> groups{};
  std::string certificate_pem{};  // registered by its CA where that is registered, else without
  std::string csr_pem{};          // a certificate is issued for it
  CertificateStatus certificate_status = CertificateStatus::kActive;
  std::vector<std::string> policies{};  // attached to the certificate
};

struct ImportedRow {
  std::string error{};             // empty: done
  std::string certificate_id{};
  std::string certificate_pem{};   // issued for a CSR
};

class Importer {
 public:
  Importer(const Context& context, const crypto::CertificateAuthority& ca, crypto::KeyGenerator& keys)
      : context_(context), ca_(ca), keys_(keys) {}

  /// A result for each row, in order; each row is all or nothing, as the single calls would have it: a thing that exists with
  /// the same content is fine, and so is a certificate that is already registered. Other writers wait
  /// only while rows are written: certificates are read, checked and signed before. Errors: kUnavailable (nothing was
  /// imported).
  Result<std::vector<ImportedRow>> Import(std::string_view actor, const std::vector<ImportRow>& rows);

 private:
  const Context& context_;
  const crypto::CertificateAuthority& ca_;
  crypto::KeyGenerator& keys_;
};

}  // namespace fleetward::registry
