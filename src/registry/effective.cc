#include "effective.h"

#include "fleetward/policy/snapshot.h"

namespace fleetward::registry {

Result<PolicyTarget> ParsePolicyTarget(const model::Arns& arns, std::string_view arn) {
  auto resource = arns.Parse(arn);
  if (resource && resource->type == "cert" && policy::FingerprintOf(resource->id)) {
    return PolicyTarget{CertificateTarget(resource->id), resource->type, resource->id};
  }
  if (resource && resource->type == "thinggroup") {
    return PolicyTarget{GroupTarget(resource->id), resource->type, resource->id};
  }
  return Error(Code::kInvalidArgument,
               "The target must be the ARN of a certificate or thing group of this account and region: " +
                   std::string(arn));
}

Status CheckTargetExists(ConstReader reader, const PolicyTarget& target) {
  bool certificate = target.type == "cert";
  FW_ASSIGN(auto record, reader.Get(certificate ? kCertificates : kThingGroups, target.id));
  if (!record) return NotFound(certificate ? "certificate" : "thing group", target.id);
  return {};
}

Status AddPoliciesOfTarget(ConstReader reader, std::string_view target_key, std::set<std::string>& names) {
  FW_ASSIGN(auto attached, PartsUnder(reader, kTargetPolicies, target_key));
  names.insert(attached.begin(), attached.end());
  return {};
}

Status AddPoliciesOfGroup(ConstReader reader, const std::string& group, std::set<std::string>& names) {
  FW_TRY(AddPoliciesOfTarget(reader, GroupTarget(group), names));
  FW_ASSIGN(auto ancestors, AncestorsOf(reader, group));
  for (const std::string& ancestor : ancestors) FW_TRY(AddPoliciesOfTarget(reader, GroupTarget(ancestor), names));
  return {};
}

Status AddPoliciesOfThing(ConstReader reader, const std::string& thing, std::set<std::string>& names) {
  FW_ASSIGN(auto groups, PartsUnder(reader, kGroupsOfThing, thing));
  for (const std::string& group : groups) FW_TRY(AddPoliciesOfGroup(reader, group, names));
  return {};
}

}  // namespace fleetward::registry
