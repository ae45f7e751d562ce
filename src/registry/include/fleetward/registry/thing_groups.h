// Static thing groups: hierarchy, attributes, members (core.md §8).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewThingGroup {
  model::ThingGroupName name{};
  std::string parent{};
  std::string description{};
  Attributes attributes{};
  Attributes tags{};
};

struct ThingGroupUpdate {
  std::optional<std::string> description{};
  std::optional<Attributes> attributes{};
  bool merge = false;
  std::optional<std::int64_t> expected_version{};
};

struct ThingGroupDescription {
  ThingGroup group;
  std::vector<model::ThingGroupName> root_to_parent{};
};

struct ThingGroupFilter {
  std::string parent{};
  std::string name_prefix{};
  std::optional<bool> recursive{};  // absent: all groups without a parent given, direct children with one
};

class ThingGroups {
 public:
  explicit ThingGroups(const Context& context) : context_(context) {}

  /// The same content again gives the existing group. Errors: kAlreadyExists, kInvalidArgument (unknown parent,
  /// depth, number of children, attributes).
  Result<ThingGroup> Create(std::string_view actor, const NewThingGroup& request);
  Result<ThingGroupDescription> Describe(const model::ThingGroupName& name) const;
  /// By name.
  Result<Page<model::ThingGroupName>> List(const ThingGroupFilter& filter, const PageRequest& page) const;
  /// The new version.
  Result<std::int64_t> Update(std::string_view actor, const model::ThingGroupName& name,
                              const ThingGroupUpdate& update);
  /// Members, attached policies and security profiles are let go, members in bounded steps before the group goes. An
  /// unknown group is no error. Errors: kVersionConflict, kInvalidArgument (children).
  Status Delete(std::string_view actor, const model::ThingGroupName& name,
                std::optional<std::int64_t> expected_version);

  /// Repeating is no error. With `override_dynamic` a thing in the maximum number of groups leaves its youngest dynamic one.
  /// Errors: kNotFound, kInvalidArgument (10 groups, two of one hierarchy, a dynamic group).
  Status AddThing(std::string_view actor, const model::ThingGroupName& group, const model::ThingName& thing,
                  bool override_dynamic = false);
  Status RemoveThing(std::string_view actor, const model::ThingGroupName& group, const model::ThingName& thing);
  /// Removes first, then adds; all or nothing.
  Status UpdateForThing(std::string_view actor, const model::ThingName& thing,
                        const std::vector<std::string>& add, const std::vector<std::string>& remove,
                        bool override_dynamic = false);
  /// By name; recursive: by group, then name.
  Result<Page<model::ThingName>> ListThings(const model::ThingGroupName& group, bool recursive,
                                            const PageRequest& page) const;
  /// Direct groups, by name.
  Result<Page<model::ThingGroupName>> ListForThing(const model::ThingName& thing, const PageRequest& page) const;

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
