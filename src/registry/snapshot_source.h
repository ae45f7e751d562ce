// Reads the registry's tables as entries of the policy snapshot.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access.h"
#include "fleetward/policy/snapshot.h"
#include "fleetward/policy/snapshot_builder.h"
#include "policy_numbers.h"

namespace fleetward::registry {

/// On one read of the store. Nothing is remembered but the numbers.
class SnapshotSource {
 public:
  SnapshotSource(ConstReader reader, PolicyNumbers& numbers) : reader_(reader), numbers_(numbers) {}

  // Single entries; nothing when the object is gone.
  Result<std::optional<policy::CertificateEntry>> CertificateOf(const std::string& id);
  Result<std::optional<policy::ThingEntry>> ThingOf(const std::string& name);
  Result<std::optional<policy::PolicyEntry>> PolicyOf(const std::string& name);
  /// Policies that do not exist any more are left out.
  Result<policy::PolicySetEntry> SetOf(policy::PolicySetNumber number, const PolicySetKey& key);

  /// The dimensions that security profiles use, as they use them.
  Result<std::vector<policy::DimensionEntry>> WatchedDimensions() const;

  /// Everything but the dimensions.
  Status AddAll(policy::SnapshotBuilder& builder);

 private:
  using Links = std::map<std::string, std::vector<std::string>, std::less<>>;
  policy::CertificateEntry MakeCertificate(const Certificate& certificate, std::vector<std::string> policies,
                                           std::vector<std::string> things);
  policy::ThingEntry MakeThing(const Thing& thing, std::vector<std::string> groups,
                               const std::vector<std::string>& certificates);
  Result<Links> LinksBetween(const Table& table, const std::string& first, const std::string& last) const;
  Status AddThings(policy::SnapshotBuilder& builder);
  Status AddCertificates(policy::SnapshotBuilder& builder);
  Status AddPolicies(policy::SnapshotBuilder& builder);

  ConstReader reader_;
  PolicyNumbers& numbers_;
};

}  // namespace fleetward::registry
