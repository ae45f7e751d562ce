// An operator's own CAs: registration with proof of possession, states, deletion (core.md §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewCaCertificate {
  std::string pem;
  /// Signed by the CA, its common name the registration code; DEFAULT mode only.
  std::optional<std::string> verification_pem{};
  CertificateMode mode = CertificateMode::kDefault;
  bool active = false;
  bool auto_registration = false;
  std::optional<RegistrationConfig> config{};
  Attributes tags{};
};

/// Members that are absent stay as they are.
struct CaCertificateUpdate {
  std::optional<bool> active{};
  std::optional<bool> auto_registration{};
  std::optional<RegistrationConfig> config{};
  bool remove_auto_registration = false;  // turns it off and forgets the configuration
};

class CaCertificates {
 public:
  explicit CaCertificates(const Context& context) : context_(context) {}

  /// The account's code, 64 hex digits; made at the first call.
  Result<std::string> RegistrationCode(std::string_view actor);
  /// Errors: kNotFound (there is none). The next call makes another code.
  Status DeleteRegistrationCode(std::string_view actor);

  /// Errors: kCertificateInvalid (no CA, expired, weak; verification certificate not signed by it),
  /// kRegistrationCodeInvalid, kInvalidArgument (verification certificate missing, or given with SNI_ONLY),
  /// kAlreadyExists (fields resourceId, resourceArn), kLimitExceeded (CAs of one subject).
  Result<CaCertificate> Register(std::string_view actor, const NewCaCertificate& request);
  Result<CaCertificate> Describe(const std::string& id) const;
  /// By time of creation; may be descending. `template_name`: only those whose configuration names it.
  Result<Page<CaCertificate>> List(const std::optional<std::string>& template_name, const PageRequest& page) const;
  Status Update(std::string_view actor, const std::string& id, const CaCertificateUpdate& update);
  /// Registered certificates stay and go on working. Errors: kNotFound, kCertificateState (ACTIVE).
  Status Delete(std::string_view actor, const std::string& id);

 private:
  const Context& context_;
};

/// The PEM text of a stored CA certificate.
std::string PemOf(const CaCertificate& certificate);

}  // namespace fleetward::registry
