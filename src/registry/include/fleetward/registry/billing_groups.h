// Billing groups: names under which things are counted; a thing is in at most one (core.md §8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct BillingGroup {
  std::string name{};
  Id128 id{};
  std::string description{};
  std::int64_t version = 1;
  Timestamp created{};
};

struct NewBillingGroup {
  std::string name{};
  std::string description{};
  Attributes tags{};
};

/// Thread-safe; `actor` goes into the history. Devices notice nothing of billing groups.
class BillingGroups {
 public:
  explicit BillingGroups(const Context& context) : context_(context) {}

  /// The same content again gives the existing group. Errors: kAlreadyExists, kInvalidArgument (tags, quota).
  Result<BillingGroup> Create(std::string_view actor, const NewBillingGroup& request);
  Result<BillingGroup> Describe(std::string_view name) const;
  /// By name.
  Result<Page<std::string>> List(std::string_view name_prefix, const PageRequest& page) const;
  /// The new version. Errors: kNotFound, kVersionConflict.
  Result<std::int64_t> Update(std::string_view actor, std::string_view name,
                              const std::optional<std::string>& description,
                              std::optional<std::int64_t> expected_version);
  /// Its things are let go, in bounded steps. An unknown group is no error. Errors: kVersionConflict.
  Status Delete(std::string_view actor, std::string_view name, std::optional<std::int64_t> expected_version);

  /// Repeating is no error. Errors: kNotFound, kInvalidArgument (the thing is in another billing group).
  Status AddThing(std::string_view actor, std::string_view group, const model::ThingName& thing);
  /// A thing that is not in it is no error. Errors: kNotFound.
  Status RemoveThing(std::string_view actor, std::string_view group, const model::ThingName& thing);
  /// By name.
  Result<Page<model::ThingName>> ListThings(std::string_view group, const PageRequest& page) const;

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
