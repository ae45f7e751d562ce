#include "fleetward/policy/decision_cache.h"

#include <bit>

#include "hashing.h"

namespace fleetward::policy {

DecisionCache::DecisionCache(std::size_t entries, std::uint64_t seed)
    : entries_(std::bit_ceil(entries == 0 ? std::size_t{1} : entries)), seed_(seed) {}

DecisionCache::Key DecisionCache::KeyOf(std::uint64_t session, std::uint64_t generation, Action action,
                                        std::string_view resource) const {
  std::uint64_t who = Mix(session ^ seed_, generation * 0xff51afd7ed558ccd + static_cast<std::uint64_t>(action) + 1);
  return {HashBytes(resource, who ^ seed_), HashBytes(resource, ~(who + seed_))};
}

std::optional<Refusal> DecisionCache::Find(const Key& key) const {
  const Entry& entry = entries_[key.high & (entries_.size() - 1)];
  if (!entry.used || entry.key.high != key.high || entry.key.low != key.low) return std::nullopt;
  return entry.refusal;
}

void DecisionCache::Put(const Key& key, Refusal refusal) {
  entries_[key.high & (entries_.size() - 1)] = {key, refusal, true};
}

}  // namespace fleetward::policy
