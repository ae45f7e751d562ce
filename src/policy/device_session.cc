#include "fleetward/policy/device_session.h"

#include <algorithm>

#include "fleetward/policy/document.h"

namespace fleetward::policy {

DeviceSession::DeviceSession(const SnapshotState& state, const DeviceRules& rules, DecisionCache* cache,
                             const Fingerprint& fingerprint, std::string_view client_id,
                             std::optional<model::IpAddress> source_ip)
    : state_(state), rules_(rules), cache_(cache), fingerprint_(fingerprint),
      certificate_id_(CertificateIdOf(fingerprint)), client_id_(client_id), source_ip_(source_ip),
      id_(cache != nullptr ? cache->NextSession() : 0) {}

bool DeviceSession::IsAttached(std::string_view thing_name) const {
  return certificate_ && std::find(certificate_->things.begin(), certificate_->things.end(), thing_name) !=
                             certificate_->things.end();
}

std::optional<ThingOverride> DeviceSession::FindOverride() const {
  if (thing_ && thing_->override_policies) return thing_->override_policies;
  if (attached_ || !certificate_) return std::nullopt;
  // Not under the name of one of its things: a restriction of any of them holds.
  for (const std::string& name : certificate_->things) {
    auto thing = state_.FindThing(name);
    if (thing && thing->override_policies) return thing->override_policies;
  }
  return std::nullopt;
}

void DeviceSession::Refresh() {
  if (generation_ == state_.generation()) return;
  generation_ = state_.generation();
  certificate_ = state_.FindCertificate(fingerprint_);
  thing_ = state_.FindThing(client_id_);
  attached_ = thing_ && IsAttached(client_id_);
  bool nobodys = thing_ && thing_->certificates.empty() && (!certificate_ || certificate_->things.empty());
  foreign_ = thing_ && !attached_ && !nobodys;
  policies_.clear();
  complete_ = certificate_.has_value();
  if (complete_) {
    auto override_policies = FindOverride();
    overridden_ = override_policies.has_value();
    if (overridden_) {
      complete_ = state_.AppendPolicies(override_policies->policy_set, policies_);
    } else {
      complete_ = state_.AppendPolicies(certificate_->policy_set, policies_);
      if (attached_) complete_ = state_.AppendPolicies(thing_->policy_set, policies_) && complete_;
    }
  }
  time_dependent_ = std::any_of(policies_.begin(), policies_.end(),
                                [](const PolicyRef& policy) { return DependsOnTime(policy.body); });
}

Refusal DeviceSession::CertificateRefusal(Timestamp now) const {
  if (!certificate_) return Refusal::kUnknownCertificate;
  if (certificate_->status != CertificateStatus::kActive) return Refusal::kCertificateNotActive;
  if (now > certificate_->not_after) return Refusal::kCertificateExpired;
  return foreign_ ? Refusal::kForeignClientId : Refusal::kNone;
}

Refusal DeviceSession::Ask(Action action, std::string_view resource, Timestamp now,
                           const std::optional<ConnectFacts>& connect) {
  bool cacheable = cache_ != nullptr && !time_dependent_ && !connect;
  DecisionCache::Key key;
  if (cacheable) {
    key = cache_->KeyOf(id_, generation_, action, resource);
    if (auto known = cache_->Find(key)) return *known;
  }
  Facts facts;
  facts.region = state_.region();
  facts.account_id = state_.account_id();
  facts.client_id = client_id_;
  facts.source_ip = source_ip_;
  facts.certificate_id = certificate_id_;
  facts.certificate_serial = certificate_->serial;
  facts.certificate_attributes = certificate_->attributes;
  if (attached_) {
    facts.thing_name = client_id_;
    facts.thing_type = thing_->type;
    facts.thing_attributes = thing_->attributes;
  }
  facts.connect = connect;
  facts.now = now;
  Decision decision = complete_ ? Decide(policies_, facts, action, resource) : Decision::kImplicitDeny;
  Refusal refusal = Refusal::kNone;
  if (decision != Decision::kAllowed) {
    refusal = decision == Decision::kExplicitDeny ? Refusal::kExplicitDeny : Refusal::kImplicitDeny;
    if (overridden_) refusal = Refusal::kOverride;
  }
  if (cacheable) cache_->Put(key, refusal);
  return refusal;
}

Refusal DeviceSession::CanConnect(const ConnectFacts& connect, Timestamp now) {
  Refresh();
  persistent_ = connect.persistent;
  if (Refusal r = CertificateRefusal(now); r != Refusal::kNone && r != Refusal::kForeignClientId) return r;
  if (Refusal r = CheckClientId(rules_, client_id_); r != Refusal::kNone) return r;
  if (foreign_) return Refusal::kForeignClientId;
  return Ask(Action::kConnect, client_id_, now, connect);
}

Refusal DeviceSession::CanPublish(std::string_view topic, bool retain, Timestamp now) {
  Refresh();
  if (Refusal r = CertificateRefusal(now); r != Refusal::kNone) return r;
  if (Refusal r = CheckPublish(rules_, *this, topic, retain); r != Refusal::kNone) return r;
  if (Refusal r = Ask(Action::kPublish, topic, now, std::nullopt); r != Refusal::kNone) return r;
  return retain ? Ask(Action::kRetainPublish, topic, now, std::nullopt) : Refusal::kNone;
}

Refusal DeviceSession::CanSubscribe(std::string_view filter, Timestamp now) {
  Refresh();
  if (Refusal r = CertificateRefusal(now); r != Refusal::kNone) return r;
  if (Refusal r = CheckSubscribe(rules_, *this, filter); r != Refusal::kNone) {
    if (r != Refusal::kForeignReport || !MayReadEvents(StripShare(filter), now)) return r;
  }
  return Ask(Action::kSubscribe, StripShare(filter), now, std::nullopt);
}

Refusal DeviceSession::CanReceive(std::string_view topic, Timestamp now) {
  Refresh();
  if (Refusal r = CertificateRefusal(now); r != Refusal::kNone) return r;
  if (Refusal r = CheckReceive(rules_, *this, topic); r != Refusal::kNone) {
    if (r != Refusal::kForeignReport || !MayReadEvents(topic, now)) return r;
  }
  return Ask(Action::kReceive, topic, now, std::nullopt);
}

// An operator's client: only what names the action grants it, so that no policy for devices does by accident (D31).
bool DeviceSession::MayReadEvents(std::string_view topic, Timestamp now) {
  constexpr std::string_view kEvents = "$aws/events/";
  return topic.starts_with(kEvents) && Ask(Action::kReadEvents, topic, now, std::nullopt) == Refusal::kNone;
}

Refusal DeviceSession::CanStay(Timestamp now) {
  Refresh();
  if (Refusal r = CertificateRefusal(now); r != Refusal::kNone) return r;
  if (stay_generation_ == generation_ && !time_dependent_) return stay_;
  stay_ = Ask(Action::kConnect, client_id_, now, ConnectFacts{persistent_, false, {}});
  stay_generation_ = generation_;
  return stay_;
}

std::optional<std::string> DeviceSession::CountsFor() {
  Refresh();
  if (attached_) return client_id_;
  if (HasExactlyOneThing()) return certificate_->things.front();
  return std::nullopt;
}

bool DeviceSession::Owns(std::string_view thing_name) const {
  return IsAttached(thing_name) || (thing_name == client_id_ && !foreign_);
}

bool DeviceSession::HasExactlyOneThing() const { return certificate_ && certificate_->things.size() == 1; }

}  // namespace fleetward::policy
