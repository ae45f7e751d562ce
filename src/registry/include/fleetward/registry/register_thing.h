// RegisterThing: everything that a provisioning template names, made and put together in one step.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/registry.h"

namespace fleetward::registry {

struct RegisteredThing {
  std::string certificate_pem{};                       // empty when the template has no certificate
  std::map<std::string, std::string> resource_arns{};  // by the template's logical ids
};

/// All or nothing. What exists already is changed as the template's OverrideSettings say, and left alone without them.
/// Errors: kInvalidArgument (the template); kConflict (an override FAIL, or a policy of that name with another document);
/// any other with the field "exception" ResourceRegistrationFailureException (a resource could not be made).
Result<RegisteredThing> RegisterThing(Registry& registry, std::string_view actor, std::string_view template_body,
                                      const std::map<std::string, std::string>& parameters);

}  // namespace fleetward::registry
