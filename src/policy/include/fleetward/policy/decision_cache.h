// Remembers recent decisions per (session, action, topic), so that a device's usual topics cost one hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "fleetward/policy/action.h"
#include "fleetward/policy/device_rules.h"

namespace fleetward::policy {

/// Fixed size, direct-mapped: no growth under hostile topics, only misses. One thread.
class DecisionCache {
 public:
  /// `entries` is rounded up to a power of two; 24 bytes each. `seed` should be random: keys are 128-bit salted
  /// hashes, so that nobody can aim for another's entry.
  DecisionCache(std::size_t entries, std::uint64_t seed);

  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
  };
  Key KeyOf(std::uint64_t session, std::uint64_t generation, Action action, std::string_view resource) const;
  std::optional<Refusal> Find(const Key& key) const;
  void Put(const Key& key, Refusal refusal);
  /// A number for a new session.
  std::uint64_t NextSession() { return ++sessions_; }

 private:
  struct Entry {
    Key key;
    Refusal refusal = Refusal::kNone;
    bool used = false;
  };
  std::vector<Entry> entries_;
  std::uint64_t seed_;
  std::uint64_t sessions_ = 0;
};

}  // namespace fleetward::policy
