// What changed in the registry, told after it is durable and in the order of the commits.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fleetward/model/names.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

/// `now` is empty when the object was deleted; `before` when it was created.
struct ThingChanged {
  model::ThingName name;
  std::optional<Thing> before, now;
};
struct ThingTypeChanged {
  std::string name;
  std::optional<ThingType> before, now;
};
/// `parents` of the group, from its own to the root; they never change.
struct ThingGroupChanged {
  model::ThingGroupName name;
  std::optional<ThingGroup> before, now;
  std::vector<ThingGroup> parents{};
};
struct MembershipChanged {
  model::ThingName thing;
  model::ThingGroupName group;
  bool member = false;
  Id128 thing_id{}, group_id{};
};
struct CertificateChanged {
  model::CertificateId id;
  std::optional<CertificateStatus> before, now;
};
struct CaCertificateChanged {
  std::string id;
  std::optional<CaCertificate> before, now;
};
/// A certificate was attached to a thing or detached.
struct AttachmentChanged {
  model::CertificateId certificate;
  model::ThingName thing;
  bool attached = false;
};
/// The policy, or which document is in force, changed.
struct PolicyChanged {
  model::PolicyName name;
  bool deleted = false;
};
/// `target` is "cert/{id}" or "thinggroup/{name}".
struct PolicyAttachmentChanged {
  model::PolicyName policy;
  std::string target;
  bool attached = false;
};
/// The profile or its targets changed. `targets` are those it has now.
struct SecurityProfileChanged {
  model::SecurityProfileName name;
  std::optional<SecurityProfile> before, now;
  std::vector<model::ProfileTarget> targets;
};
struct CustomMetricChanged {
  model::CustomMetricName name;
  std::optional<CustomMetric> before, now;
};
struct DimensionChanged {
  model::DimensionName name;
  std::optional<Dimension> before, now;
};
/// Which registry events are published from now on: bits of EventConfiguration.
struct EventConfigurationChanged {
  std::uint32_t enabled = 0;
};
using Change = std::variant<ThingChanged, ThingTypeChanged, ThingGroupChanged, MembershipChanged, CertificateChanged,
                            AttachmentChanged, PolicyChanged, PolicyAttachmentChanged, SecurityProfileChanged,
                            CustomMetricChanged, DimensionChanged, CaCertificateChanged, EventConfigurationChanged>;

class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  /// All changes of one call that changed something. Runs on the store's writer thread before the call returns: be
  /// quick, do not write. Calls never overlap.
  virtual void OnChanges(std::span<const Change> changes) = 0;
};

/// Passes changes on. Listeners are added at start, before the first change, and live longer.
class ChangeHub {
 public:
  void Add(ChangeListener& listener) { listeners_.push_back(&listener); }
  void Tell(std::span<const Change> changes) const {
    for (ChangeListener* listener : listeners_) listener->OnChanges(changes);
  }

 private:
  std::vector<ChangeListener*> listeners_;
};

}  // namespace fleetward::registry
