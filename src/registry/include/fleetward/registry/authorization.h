// What a certificate, or a group's policies, would be allowed to do: the broker's evaluator over what the registry holds.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/policy/evaluate.h"
#include "fleetward/registry/context.h"

namespace fleetward::registry {

struct AuthorizationSubject {
  std::string principal;             // ARN of a certificate or thing group; empty: the added policies alone
  std::string client_id;             // the MQTT client id, or empty
  std::vector<std::string> add;      // policies treated as attached
  std::vector<std::string> skip;     // policies treated as not attached
};

/// A moment's state; later changes do not show. Thread-safe.
class Authorization {
 public:
  /// The policies are the certificate's, those of the groups (and their ancestors) of the thing that is named as the
  /// client id and attached to the certificate, and the added ones. Errors: kNotFound (principal, added policy),
  /// kInvalidArgument (not an ARN of this account and region).
  static Result<Authorization> Open(const Context& context, const AuthorizationSubject& subject);

  /// Decided as the broker does. What only a connection knows (source address, will) is missing context. The rules
  /// above policies (policy::DeviceRules) are not asked.
  policy::Explanation Explain(policy::Action action, std::string_view resource_arn) const;
  /// Names of all policies that are looked at, sorted.
  const std::vector<std::string>& policies() const;

 private:
  struct State;
  explicit Authorization(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace fleetward::registry
