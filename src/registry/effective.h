// Which policies count for whom.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "access.h"

namespace fleetward::registry {

/// What policies are attached to: a certificate or a thing group.
struct PolicyTarget {
  std::string key;         // "cert/{id}" or "thinggroup/{name}"
  std::string type, id;
};
/// Errors: kInvalidArgument (no ARN of a certificate or group of this account and region).
Result<PolicyTarget> ParsePolicyTarget(const model::Arns& arns, std::string_view arn);
/// Error: kNotFound.
Status CheckTargetExists(ConstReader reader, const PolicyTarget& target);

Status AddPoliciesOfTarget(ConstReader reader, std::string_view target_key, std::set<std::string>& names);
/// With the policies of all ancestors.
Status AddPoliciesOfGroup(ConstReader reader, const std::string& group, std::set<std::string>& names);
/// Of all its groups.
Status AddPoliciesOfThing(ConstReader reader, const std::string& thing, std::set<std::string>& names);

}  // namespace fleetward::registry
