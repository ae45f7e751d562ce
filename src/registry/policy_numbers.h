// The numbers that policies and policy sets have in a snapshot and its deltas.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/policy/snapshot.h"

namespace fleetward::registry {

/// What a policy set stands for: the policies of a certificate, or the groups of a thing.
struct PolicySetKey {
  bool of_groups = false;
  std::vector<std::string> names;  // sorted: policies, or direct groups
  auto operator<=>(const PolicySetKey&) const = default;
};

/// Gives each name and each set a number at first sight and keeps it for the life of the process. Thread-safe.
class PolicyNumbers {
 public:
  policy::PolicyNumber OfPolicy(const std::string& name);
  /// kNoPolicySet for a key without names.
  policy::PolicySetNumber OfSet(PolicySetKey key);
  std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> Sets() const;
  /// Sets that the brokers were not told of yet, and that the first `count` of them now were.
  std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> NewSets() const;
  void ForgetNewSets(std::size_t count);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, policy::PolicyNumber> policies_;
  std::map<PolicySetKey, policy::PolicySetNumber> sets_;
  std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> new_sets_;
};

}  // namespace fleetward::registry
