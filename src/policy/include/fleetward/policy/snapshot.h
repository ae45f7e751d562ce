// The policy snapshot (D20): a read-only file with flat hash tables that the broker plugin maps and reads in place.
// Entries and views; the writer is in snapshot_builder.h, deltas in snapshot_delta.h. Byte format: docs/policy.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/policy/evaluate.h"
#include "fleetward/policy/facts.h"

namespace fleetward::policy {

/// A version is an epoch, one for each start of the server, and below so many bits a count. What one epoch's numbers
/// mean, another's do not.
inline constexpr int kEpochShift = 32;

/// SHA-256 of the certificate's DER form.
using Fingerprint = std::array<std::uint8_t, 32>;
/// From a certificate id (64 hex digits); nothing when malformed.
std::optional<Fingerprint> FingerprintOf(std::string_view certificate_id);
std::string CertificateIdOf(const Fingerprint& fingerprint);

/// Values are stored: never change them.
enum class CertificateStatus : std::uint8_t {
  kActive = 0,
  kInactive = 1,
  kRevoked = 2,
  kPendingTransfer = 3,
  kRegisterInactive = 4,
  kPendingActivation = 5,
};

/// Numbers given by the server; they mean something only within one snapshot and its deltas. Small and dense.
using PolicyNumber = std::uint32_t;
using PolicySetNumber = std::uint32_t;
inline constexpr PolicySetNumber kNoPolicySet = 0xffffffff;

/// A policy set is a list of policies. All certificates with the same attached policies share one set, as do all
/// things of the same groups (that set holds the groups' and their ancestors' policies): so a change of a policy
/// or of a group's policies is one small delta, whatever the number of things.
struct PolicySetEntry {
  PolicySetNumber number = 0;
  std::vector<PolicyNumber> policies;
  bool operator==(const PolicySetEntry&) const = default;
};

struct PolicyEntry {
  PolicyNumber number = 0;
  std::string name;
  std::string body;  // CompiledPolicy::body
  bool operator==(const PolicyEntry&) const = default;
};

struct CertificateEntry {
  Fingerprint fingerprint{};
  CertificateStatus status = CertificateStatus::kInactive;
  bool alone = false;                   // registered without a CA: its chain has to hold by itself (D29)
  Timestamp not_after{};
  std::string serial;                   // text form of the serial number, for iot:Certificate.SerialNumber
  std::string attributes;               // EncodeCertificateAttributes
  PolicySetNumber policy_set = kNoPolicySet;
  std::vector<std::string> things;      // names of the attached things
  bool operator==(const CertificateEntry&) const = default;
};

/// Replaces all policies of a thing's clients while it lasts (quarantine with a repair lane): only this set decides.
struct ThingOverride {
  PolicySetNumber policy_set = kNoPolicySet;  // kNoPolicySet: nothing is allowed
  bool operator==(const ThingOverride&) const = default;
};

struct ThingEntry {
  std::string name{};
  std::string type{};
  std::string attributes{};               // EncodeThingAttributes
  PolicySetNumber policy_set = kNoPolicySet;  // of its groups, up the hierarchy
  std::vector<Fingerprint> certificates{};      // attached certificates
  std::optional<ThingOverride> override_policies{};
  bool operator==(const ThingEntry&) const = default;
};

/// A dimension whose topic filters the plugin counts by: one that a security profile uses (docs/detect.md).
struct DimensionEntry {
  std::string name;
  std::vector<std::string> filters;
  std::uint32_t in = 0;      // number of the series of topics that match one of the filters; 0: nobody watches it
  std::uint32_t not_in = 0;  // the same of topics that match none
  bool operator==(const DimensionEntry&) const = default;
};

/// What holds for the whole snapshot.
struct SnapshotInfo {
  std::uint64_t version = 0;            // grows by one with each delta
  std::string region;
  std::string account_id;
  bool operator==(const SnapshotInfo&) const = default;
};

/// A read-only look at snapshot bytes, which must outlive the view. Every access is bounds-checked: bytes that are
/// damaged yield "not found", never a read outside.
class SnapshotView {
 public:
  SnapshotView() = default;

  /// Checks magic, format version, sizes, and the checksums of header and body (one pass over the bytes, about
  /// 0.1 ms per MB). Errors: kCorrupt; kInvalidArgument for a format version this program does not know.
  static Result<SnapshotView> Open(std::string_view bytes);

  std::uint64_t version() const { return version_; }
  SnapshotInfo info() const;
  std::uint32_t certificate_count() const { return certificates_.count; }
  std::uint32_t thing_count() const { return things_.count; }
  std::uint32_t policy_count() const { return policies_.count; }
  std::uint32_t policy_set_count() const { return policy_sets_.count; }

  std::optional<CertificateEntry> FindCertificate(const Fingerprint& fingerprint) const;
  std::optional<ThingEntry> FindThing(std::string_view name) const;
  /// Views into the bytes; empty body when there is no such policy.
  PolicyRef FindPolicy(PolicyNumber number) const;
  /// Nothing when there is no such set.
  std::optional<std::vector<PolicyNumber>> FindPolicySet(PolicySetNumber number) const;
  std::vector<DimensionEntry> Dimensions() const;

  /// The i-th certificate and thing, in file order, for tools and tests.
  CertificateEntry CertificateAt(std::uint32_t index) const;
  ThingEntry ThingAt(std::uint32_t index) const;

 private:
  struct Section {
    std::string_view bytes;
    std::uint32_t count = 0;
  };
  std::uint32_t CertificateIndex(const Fingerprint& fingerprint) const;
  std::uint32_t ThingIndex(std::string_view name) const;
  std::string_view Blob(std::uint32_t offset) const;
  std::string_view ThingNameAt(std::uint32_t index) const;
  std::vector<std::uint32_t> List(std::uint32_t reference) const;

  std::uint64_t version_ = 0;
  std::uint64_t seed_ = 0;
  std::string_view blobs_;
  std::string_view lists_;
  std::string_view dimensions_;
  std::string_view certificate_slots_;
  std::string_view thing_slots_;
  std::string_view region_;
  std::string_view account_id_;
  Section certificates_;
  Section things_;
  Section policies_;
  Section policy_sets_;
};

}  // namespace fleetward::policy
