// Thing groups whose members are what a query finds (core.md §8). The group itself is a ThingGroup without parent; FleetIndex
// keeps its members in step, as ordinary memberships that nobody else may change.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/thing_groups.h"

namespace fleetward::registry {

inline constexpr std::string_view kThingsIndex = "AWS_Things";
inline constexpr std::string_view kThingGroupsIndex = "AWS_ThingGroups";
inline constexpr std::string_view kQueryVersion = "2017-09-30";

struct NewDynamicThingGroup {
  model::ThingGroupName name{};
  std::string query{};
  std::string description{};
  Attributes attributes{};
  Attributes tags{};
};

/// A thing that is to be in a dynamic group, or out of it.
struct DynamicMembership {
  model::ThingName thing;
  bool member = false;
};

class DynamicThingGroups {
 public:
  explicit DynamicThingGroups(const Context& context) : context_(context) {}

  /// The same content again gives the existing group. Errors: kAlreadyExists, kInvalidQuery, kInvalidArgument
  /// (attributes), kLimitExceeded (quota, counted over the account).
  Result<ThingGroup> Create(std::string_view actor, const NewDynamicThingGroup& request);
  /// The new version. With a query the group is rebuilt. Errors: kNotFound, kVersionConflict, kInvalidQuery,
  /// kInvalidArgument (attributes; the group is not dynamic).
  Result<std::int64_t> Update(std::string_view actor, const model::ThingGroupName& name,
                              const ThingGroupUpdate& update, const std::optional<std::string>& query);
  /// An unknown group is no error. Errors: kVersionConflict, kInvalidArgument (the group is not dynamic).
  Status Delete(std::string_view actor, const model::ThingGroupName& name,
                std::optional<std::int64_t> expected_version);

  /// Nothing when the group is static or unknown.
  Result<std::optional<DynamicQuery>> Find(const model::ThingGroupName& name) const;
  Result<std::vector<std::pair<model::ThingGroupName, DynamicQuery>>> All() const;

  /// For FleetIndex. Things that are gone are passed over, and so is a group that has another query by now. A thing in the
  /// maximum number of groups leaves a younger dynamic group for this one, else it stays out; `refused` counts those.
  Status SetMembers(const model::ThingGroupName& name, std::string_view query,
                    const std::vector<DynamicMembership>& members, std::size_t& refused);
  Status SetActive(const model::ThingGroupName& name, std::string_view query);

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
