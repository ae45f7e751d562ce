// Security profiles and what they are attached to (detect.md §6).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/model/validate.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewSecurityProfile {
  model::SecurityProfileName name{};
  ProfileContent content{};
  Attributes tags{};
};

/// Members that are given replace, absent ones stay. A deletion and a new value of the same member contradict.
struct SecurityProfileUpdate {
  ProfileContent content{};
  bool delete_behaviors = false;
  bool delete_alert_targets = false;
  bool delete_metrics_to_retain = false;
  bool delete_metrics_export = false;
  std::optional<std::int64_t> expected_version{};
};

/// At most one may be set.
struct SecurityProfileFilter {
  std::string dimension{};
  std::string metric{};
};

struct ProfileMapping {
  model::SecurityProfileName profile;
  model::ProfileTarget target;
};

struct ProfileWithTargets {
  SecurityProfile profile;
  std::vector<model::ProfileTarget> targets;
};

/// Thread-safe; `actor` goes into the history.
class SecurityProfiles {
 public:
  explicit SecurityProfiles(const Context& context) : context_(context) {}

  /// The same content again gives the existing profile. Errors: kAlreadyExists, kInvalidArgument (behaviors, alert
  /// targets, metrics to retain).
  Result<SecurityProfile> Create(std::string_view actor, const NewSecurityProfile& request);
  Result<SecurityProfile> Describe(const model::SecurityProfileName& name) const;
  /// By name. Errors: kInvalidArgument (both filters).
  Result<Page<model::SecurityProfileName>> List(const SecurityProfileFilter& filter, const PageRequest& page) const;
  /// Errors: kNotFound, kVersionConflict, kInvalidArgument.
  Result<SecurityProfile> Update(std::string_view actor, const model::SecurityProfileName& name,
                                 const SecurityProfileUpdate& update);
  /// Lets go of its targets. An unknown profile is no error. Errors: kVersionConflict.
  Status Delete(std::string_view actor, const model::SecurityProfileName& name,
                std::optional<std::int64_t> expected_version);

  /// `target` is the ARN of all/things, all/registered-things, all/unregistered-things or a thing group. Repeating is
  /// no error. Errors: kNotFound (profile, group), kInvalidArgument (target), kLimitExceeded.
  Status Attach(std::string_view actor, const model::SecurityProfileName& name, std::string_view target);
  Status Detach(std::string_view actor, const model::SecurityProfileName& name, std::string_view target);
  Result<Page<model::ProfileTarget>> ListTargets(const model::SecurityProfileName& name,
                                                 const PageRequest& page) const;
  /// By target, then profile; `recursive` adds what is attached to the groups below a group, or to registered and
  /// unregistered things below all things.
  Result<Page<ProfileMapping>> ListForTarget(std::string_view target, bool recursive, const PageRequest& page) const;

  /// One message for each fault; empty when all are well.
  Result<std::vector<std::string>> Validate(std::span<const model::Behavior> behaviors) const;
  /// The profiles that cover a thing. `groups` with all ancestors.
  Result<std::vector<SecurityProfile>> Covering(bool registered,
                                                std::span<const model::ThingGroupName> groups) const;
  /// Every profile, by name.
  Result<std::vector<ProfileWithTargets>> All() const;

  std::string TargetArn(const model::ProfileTarget& target) const;
  std::string Arn(const model::SecurityProfileName& name) const { return context_.arns.SecurityProfile(name.value()); }

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
