// Deltas between snapshot versions, sent over $CONTROL (D20).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/policy/snapshot.h"

namespace fleetward::policy {

struct RemoveCertificate {
  Fingerprint fingerprint{};
  bool operator==(const RemoveCertificate&) const = default;
};
struct RemoveThing {
  std::string name;
  bool operator==(const RemoveThing&) const = default;
};
struct RemovePolicy {
  PolicyNumber number = 0;
  bool operator==(const RemovePolicy&) const = default;
};
struct RemovePolicySet {
  PolicySetNumber number = 0;
  bool operator==(const RemovePolicySet&) const = default;
};
/// Replaces all dimensions.
struct SetDimensions {
  std::vector<DimensionEntry> dimensions;
  bool operator==(const SetDimensions&) const = default;
};

/// An entry replaces the one of the same key.
using SnapshotChange = std::variant<CertificateEntry, ThingEntry, PolicyEntry, PolicySetEntry, RemoveCertificate,
                                    RemoveThing, RemovePolicy, RemovePolicySet, SetDimensions>;

struct SnapshotDelta {
  std::uint64_t from_version = 0;
  std::uint64_t to_version = 0;
  std::vector<SnapshotChange> changes;
  bool operator==(const SnapshotDelta&) const = default;
};

std::string EncodeDelta(const SnapshotDelta& delta);
/// Error: kCorrupt (magic, checksum, lengths), kInvalidArgument (unknown format version).
Result<SnapshotDelta> DecodeDelta(std::string_view bytes);

}  // namespace fleetward::policy
