#include "scope_rules.h"

#include <algorithm>

namespace fleetward::api {
namespace {

// Left out on purpose: everything that lists or counts over the fleet, names of groups and policies, tags, search, page
// walks without a thing; and adding to groups, by which a key could widen its own scope.
constexpr ScopeRule kRules[] = {
    {"iot", "DescribeEndpoint", ScopedBy::kNothing, ""},
    {"sts", "GetCallerIdentity", ScopedBy::kNothing, ""},
    {"iot", "DescribeThing", ScopedBy::kThing, "thingName"},
    {"iot", "ListThingPrincipals", ScopedBy::kThing, "thingName"},
    {"iot", "ListThingsInThingGroup", ScopedBy::kThingGroup, "thingGroupName"},
    {"iot", "DescribeCertificate", ScopedBy::kCertificate, "certificateId"},
    {"iot", "UpdateCertificate", ScopedBy::kCertificate, "certificateId"},
    {"iot", "ListActiveViolations", ScopedBy::kThing, "thingName"},
    {"iot", "ListViolationEvents", ScopedBy::kThing, "thingName"},
    {"iot", "ListMetricValues", ScopedBy::kThing, "thingName"},
    {"iot", "PutVerificationStateOnViolation", ScopedBy::kViolation, "violationId"},
    {"iot-data", "DeleteConnection", ScopedBy::kThing, "clientId"},
};

bool MemberInScope(ScopedBy by, std::string_view value, const access::Scope& scope,
                   const access::ScopeDirectory& directory) {
  switch (by) {
    case ScopedBy::kNothing: return true;
    case ScopedBy::kThing: return directory.ThingInScope(value, scope);
    case ScopedBy::kThingGroup: return directory.GroupInScope(value, scope);
    case ScopedBy::kCertificate: return directory.CertificateInScope(value, scope);
    case ScopedBy::kViolation: return directory.ViolationInScope(value, scope);
  }
  return false;
}

}  // namespace

std::span<const ScopeRule> ScopeRules() { return kRules; }

bool InScope(const OperationInfo& operation, const RequestParts& parts, const access::Scope& scope,
             const access::ScopeDirectory* directory) {
  const ScopeRule* rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const ScopeRule& candidate) {
    return candidate.service == operation.service && candidate.operation == operation.name;
  });
  if (rule == std::end(kRules) || directory == nullptr) return false;
  if (rule->by == ScopedBy::kNothing) return true;
  // A member that is given twice might be judged by one value and used by the other: all must lie in the scope.
  std::size_t seen = 0;
  for (const auto* members : {&parts.labels, &parts.query}) {
    for (const auto& [name, value] : *members) {
      if (name != rule->member) continue;
      ++seen;
      if (!MemberInScope(rule->by, value, scope, *directory)) return false;
    }
  }
  return seen > 0;
}

}  // namespace fleetward::api
