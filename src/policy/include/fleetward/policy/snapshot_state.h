// What the plugin holds: a mapped base snapshot and what deltas changed since.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fleetward/policy/snapshot.h"
#include "fleetward/policy/snapshot_delta.h"

namespace fleetward::policy {

struct FingerprintHash {
  std::size_t operator()(const Fingerprint& fingerprint) const noexcept;
};

/// One thread (the broker's). Before the first Load nothing is found: everybody is refused.
class SnapshotState {
 public:
  /// Takes `bytes` as the new base and forgets all deltas; `owner` keeps the mapping alive. On error the old state
  /// stays. Errors: as SnapshotView::Open; kVersionConflict when the base is older than the present version.
  Status Load(std::string_view bytes, std::shared_ptr<const void> owner);

  /// Applies a delta that starts at version(); one of its epoch that leads no further does nothing. Errors:
  /// kVersionConflict (a gap: map the file again), kCorrupt; the state then stays as it was.
  Status Apply(std::string_view delta);

  bool loaded() const { return loaded_; }
  std::uint64_t version() const { return version_; }
  /// Changes whenever anything did: sessions and caches compare it.
  std::uint64_t generation() const { return generation_; }
  /// Entries held beside the base, a measure for asking the server for a new base.
  std::size_t overlay_size() const;

  const std::string& region() const { return info_.region; }
  const std::string& account_id() const { return info_.account_id; }

  std::optional<CertificateEntry> FindCertificate(const Fingerprint& fingerprint) const;
  std::optional<ThingEntry> FindThing(std::string_view name) const;
  /// Appends the set's policies; views are good until the next Load or Apply. False for a set that is unknown or
  /// names an unknown policy: its Deny statements are not known, so nothing may be allowed by it.
  bool AppendPolicies(PolicySetNumber number, std::vector<PolicyRef>& policies) const;
  const std::vector<DimensionEntry>& dimensions() const { return dimensions_; }

 private:
  void ApplyChange(SnapshotChange&& change);
  std::optional<std::vector<PolicyNumber>> FindPolicySet(PolicySetNumber number) const;
  PolicyRef FindPolicy(PolicyNumber number) const;

  bool loaded_ = false;
  std::uint64_t version_ = 0;
  std::uint64_t generation_ = 0;
  SnapshotInfo info_;
  SnapshotView base_;
  std::shared_ptr<const void> owner_;
  std::unordered_map<Fingerprint, std::optional<CertificateEntry>, FingerprintHash> certificates_;
  std::unordered_map<std::string, std::optional<ThingEntry>> things_;
  std::unordered_map<PolicyNumber, std::optional<PolicyEntry>> policies_;
  std::unordered_map<PolicySetNumber, std::optional<std::vector<PolicyNumber>>> policy_sets_;
  std::vector<DimensionEntry> dimensions_;
};

}  // namespace fleetward::policy
