// Writes snapshot bytes (server side). One thread.
#pragma once

#include <memory>
#include <string>

#include "fleetward/policy/snapshot.h"

namespace fleetward::policy {

/// Collects entries, then writes the file's bytes at once. Equal attribute sets, types and names are stored once.
/// Store the result with WriteFileAtomic.
class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(SnapshotInfo info);
  SnapshotBuilder(SnapshotBuilder&&) noexcept;
  SnapshotBuilder& operator=(SnapshotBuilder&&) noexcept;
  ~SnapshotBuilder();

  void Reserve(std::size_t certificates, std::size_t things);

  /// Policies and sets may come in any order; the numbers should be dense. A number given twice: the last holds.
  void AddPolicy(const PolicyEntry& entry);
  void AddPolicySet(const PolicySetEntry& entry);
  /// A fingerprint or name given twice is an error of Build. Things named by certificates need not exist.
  void AddCertificate(const CertificateEntry& entry);
  void AddThing(const ThingEntry& entry);
  void AddDimension(const DimensionEntry& entry);

  /// The bytes. `seed` salts the hash tables. Errors: kInvalidArgument (duplicates, sets naming unknown policies,
  /// certificates or things naming unknown sets), kLimitExceeded (4 GiB of strings).
  Result<std::string> Build(std::uint64_t seed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::policy
