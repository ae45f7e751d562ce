// One step from a device's key to a device that may report: `fleetward provision`.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/registry/registry.h"

namespace fleetward::registry {

/// Name of the policy that all provisioned things share.
inline constexpr std::string_view kProvisionPolicy = "FleetwardDevice";

/// Least privilege for a reporting device: connect as itself, publish its own reports, receive its own answers.
/// One document serves all things by its policy variables.
std::string ProvisionPolicyDocument(const model::Arns& arns);

struct ProvisionedThing {
  Thing thing;
  Certificate certificate;
  std::string certificate_pem;
  bool enforced = false;  // the brokers let it connect; false: they did not say so within 5 s
};

/// Makes the thing (an existing one is kept), a certificate for the caller's request, the shared policy if it is not
/// there, and attaches them. Waits until the brokers know all of it. Errors: kInvalidArgument (name, request).
Result<ProvisionedThing> ProvisionThing(Registry& registry, std::string_view actor, const model::ThingName& name,
                                        std::string_view csr_pem);

}  // namespace fleetward::registry
