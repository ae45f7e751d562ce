#include "fleetward/policy/snapshot_state.h"

#include <cstring>

namespace fleetward::policy {

std::size_t FingerprintHash::operator()(const Fingerprint& fingerprint) const noexcept {
  std::size_t hash;
  std::memcpy(&hash, fingerprint.data(), sizeof(hash));
  return hash;
}

Status SnapshotState::Load(std::string_view bytes, std::shared_ptr<const void> owner) {
  FW_ASSIGN(SnapshotView view, SnapshotView::Open(bytes));
  if (loaded_ && view.version() < version_) {
    return Error(Code::kVersionConflict, "the policy snapshot is older than what is in force");
  }
  base_ = view;
  owner_ = std::move(owner);
  info_ = view.info();
  dimensions_ = view.Dimensions();
  certificates_.clear();
  things_.clear();
  policies_.clear();
  policy_sets_.clear();
  version_ = view.version();
  loaded_ = true;
  ++generation_;
  return {};
}

Status SnapshotState::Apply(std::string_view bytes) {
  FW_ASSIGN(SnapshotDelta delta, DecodeDelta(bytes));
  if (loaded_ && delta.to_version <= version_ && delta.to_version >> kEpochShift == version_ >> kEpochShift) {
    return {};  // the file had it already
  }
  if (!loaded_ || delta.from_version != version_) {
    return Error(Code::kVersionConflict, "the delta starts at version " + std::to_string(delta.from_version) +
                                             ", in force is " + std::to_string(version_));
  }
  for (SnapshotChange& change : delta.changes) ApplyChange(std::move(change));
  version_ = delta.to_version;
  ++generation_;
  return {};
}

void SnapshotState::ApplyChange(SnapshotChange&& change) {
  struct Visitor {
    SnapshotState& s;
    void operator()(CertificateEntry&& e) {
      Fingerprint key = e.fingerprint;
      s.certificates_[key] = std::move(e);
    }
    void operator()(ThingEntry&& e) {
      std::string key = e.name;
      s.things_[std::move(key)] = std::move(e);
    }
    void operator()(PolicyEntry&& e) { s.policies_[e.number] = std::move(e); }
    void operator()(PolicySetEntry&& e) { s.policy_sets_[e.number] = std::move(e.policies); }
    void operator()(RemoveCertificate&& e) { s.certificates_[e.fingerprint] = std::nullopt; }
    void operator()(RemoveThing&& e) { s.things_[std::move(e.name)] = std::nullopt; }
    void operator()(RemovePolicy&& e) { s.policies_[e.number] = std::nullopt; }
    void operator()(RemovePolicySet&& e) { s.policy_sets_[e.number] = std::nullopt; }
    void operator()(SetDimensions&& e) { s.dimensions_ = std::move(e.dimensions); }
  };
  std::visit(Visitor{*this}, std::move(change));
}

std::size_t SnapshotState::overlay_size() const {
  return certificates_.size() + things_.size() + policies_.size() + policy_sets_.size();
}

std::optional<CertificateEntry> SnapshotState::FindCertificate(const Fingerprint& fingerprint) const {
  auto found = certificates_.find(fingerprint);
  return found != certificates_.end() ? found->second : base_.FindCertificate(fingerprint);
}

std::optional<ThingEntry> SnapshotState::FindThing(std::string_view name) const {
  auto found = things_.find(std::string(name));
  return found != things_.end() ? found->second : base_.FindThing(name);
}

std::optional<std::vector<PolicyNumber>> SnapshotState::FindPolicySet(PolicySetNumber number) const {
  auto found = policy_sets_.find(number);
  return found != policy_sets_.end() ? found->second : base_.FindPolicySet(number);
}

PolicyRef SnapshotState::FindPolicy(PolicyNumber number) const {
  auto found = policies_.find(number);
  if (found == policies_.end()) return base_.FindPolicy(number);
  if (!found->second) return {};
  return {found->second->name, found->second->body};
}

bool SnapshotState::AppendPolicies(PolicySetNumber number, std::vector<PolicyRef>& policies) const {
  if (number == kNoPolicySet) return true;
  auto set = FindPolicySet(number);
  if (!set) return false;
  bool complete = true;
  for (PolicyNumber policy : *set) {
    PolicyRef ref = FindPolicy(policy);
    if (ref.body.empty()) complete = false;
    policies.push_back(ref);
  }
  return complete;
}

}  // namespace fleetward::policy
