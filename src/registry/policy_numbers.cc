#include "policy_numbers.h"

#include <algorithm>

namespace fleetward::registry {

policy::PolicyNumber PolicyNumbers::OfPolicy(const std::string& name) {
  std::lock_guard lock(mutex_);
  return policies_.try_emplace(name, static_cast<policy::PolicyNumber>(policies_.size())).first->second;
}

policy::PolicySetNumber PolicyNumbers::OfSet(PolicySetKey key) {
  if (key.names.empty()) return policy::kNoPolicySet;
  std::sort(key.names.begin(), key.names.end());
  std::lock_guard lock(mutex_);
  auto [entry, added] = sets_.try_emplace(std::move(key), static_cast<policy::PolicySetNumber>(sets_.size()));
  if (added) new_sets_.emplace_back(entry->second, entry->first);
  return entry->second;
}

std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> PolicyNumbers::Sets() const {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> sets;
  for (const auto& [key, number] : sets_) sets.emplace_back(number, key);
  return sets;
}

std::vector<std::pair<policy::PolicySetNumber, PolicySetKey>> PolicyNumbers::NewSets() const {
  std::lock_guard lock(mutex_);
  return new_sets_;
}

void PolicyNumbers::ForgetNewSets(std::size_t count) {
  std::lock_guard lock(mutex_);
  new_sets_.erase(new_sets_.begin(), new_sets_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace fleetward::registry
