// Provisioning templates: a JSON document of parameters and resources (the guide's "Provisioning templates"), resolved
// into what is to be made. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

/// What happens to a property of something that exists and differs: it stays, it is replaced, the call fails, or both
/// are put together (attributes and groups only).
enum class OverrideMode : std::uint8_t { kDoNothing, kReplace, kFail, kMerge };

/// Properties that the template leaves out are absent.
struct ThingResource {
  std::string logical_id{};
  std::string name{};
  std::optional<std::string> type{};
  std::optional<Attributes> attributes{};
  std::optional<std::vector<std::string>> groups{};
  std::optional<std::string> billing_group{};
  OverrideMode type_override = OverrideMode::kDoNothing;
  OverrideMode attributes_override = OverrideMode::kDoNothing;
  OverrideMode groups_override = OverrideMode::kDoNothing;
};

/// Exactly one of csr, id and pem is set.
struct CertificateResource {
  std::string logical_id{};
  std::string csr{}, id{}, pem{};
  std::string ca_pem{};  // with pem: the registered CA that signed it
  std::optional<CertificateStatus> status{};
  OverrideMode status_override = OverrideMode::kDoNothing;
};

/// A name alone names a policy that exists; with a document, or with a document alone (the name is then its SHA-256),
/// the policy is made when it is missing.
struct PolicyResource {
  std::string logical_id{};
  std::string name{};
  std::optional<std::string> document{};
};

struct ProvisioningPlan {
  std::optional<ThingResource> thing{};
  std::optional<CertificateResource> certificate{};
  std::vector<PolicyResource> policies{};
};

/// Fills in the parameters (Ref, Fn::Join, Fn::Select, Fn::Split, Fn::Sub, Fn::FindInMap). Names are checked by whoever
/// uses them. Errors: kInvalidArgument, naming the place: "Resources.thing.Properties.ThingName: …".
Result<ProvisioningPlan> ResolveTemplate(std::string_view body, const std::map<std::string, std::string>& parameters);

}  // namespace fleetward::registry
