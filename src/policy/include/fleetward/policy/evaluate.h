// The one evaluator: broker, TestAuthorization, GetEffectivePolicies and audit decide with it.
// Explicit deny first, then allow, else implicit deny (core.md §6).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/policy/action.h"
#include "fleetward/policy/facts.h"

namespace fleetward::policy {

enum class Decision : std::uint8_t { kAllowed, kExplicitDeny, kImplicitDeny };
/// "ALLOWED", "EXPLICIT_DENY", "IMPLICIT_DENY", as TestAuthorization spells them.
std::string_view DecisionName(Decision decision);

/// A compiled policy somewhere in memory.
struct PolicyRef {
  std::string_view name;
  std::string_view body;
};

/// `resource` is the client id, topic, topic filter (without $share/{name}/) or thing name; the ARN is made of it.
/// Thread-safe; cost grows with the policies' size times the resource's, never with combinations of wildcards. Any
/// bytes are safe as bodies: when one is damaged, nothing is allowed.
Decision Decide(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view resource);

/// The same for a whole ARN, as TestAuthorization gets it.
Decision DecideArn(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view arn);

/// A statement that matched.
struct StatementMatch {
  std::string policy;
  std::uint32_t statement = 0;  // index in the document
  std::string sid;              // empty if the statement has none
  bool operator==(const StatementMatch&) const = default;
};

struct Explanation {
  Decision decision = Decision::kImplicitDeny;
  std::vector<StatementMatch> allowed;          // all matching Allow statements
  std::vector<StatementMatch> denied;           // all matching Deny statements
  std::vector<std::string> missing_context;     // variables and keys that were asked for and unknown; sorted
};

/// As Decide, and says why. Slower; allocates.
Explanation Explain(std::span<const PolicyRef> policies, const Facts& facts, Action action,
                    std::string_view resource);
Explanation ExplainArn(std::span<const PolicyRef> policies, const Facts& facts, Action action, std::string_view arn);

}  // namespace fleetward::policy
