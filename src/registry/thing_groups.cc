#include "fleetward/registry/thing_groups.h"

#include <algorithm>
#include <optional>

#include "group_access.h"
#include "profile_access.h"

namespace fleetward::registry {
namespace {

using GroupName = model::ThingGroupName;

// Members let go in one transaction when a group is deleted: other calls get their turn in between.
constexpr std::size_t kStep = 500;

// Groups that a page of a recursive list goes through; behind them it ends short.
constexpr std::size_t kMaxGroupsLookedAt = 500;

bool SameContent(const ThingGroup& group, const NewThingGroup& request) {
  return group.parent == request.parent && group.description == request.description &&
         group.attributes == request.attributes;
}

// The model gives CreateThingGroup neither ResourceNotFound nor LimitExceeded: all of this is InvalidRequest.
Status CheckPlace(ConstReader reader, const std::string& parent, const Quotas& quotas) {
  if (parent.empty()) return {};
  FW_ASSIGN(auto found, FindThingGroup(reader, parent));
  if (!found) return Error(Code::kInvalidArgument, "Parent thing group " + parent + " does not exist");
  FW_TRY(RefuseDynamic(reader, parent, "it has no place in a hierarchy"));
  FW_ASSIGN(auto ancestors, AncestorsOf(reader, parent));
  if (ancestors.size() + 2 > quotas.group_depth) {
    return Error(Code::kInvalidArgument, "Thing group hierarchies may be at most " +
                                             std::to_string(quotas.group_depth) + " levels deep");
  }
  FW_ASSIGN(auto children, PartsUnder(reader, kGroupChildren, parent));
  if (children.size() >= quotas.children_per_group) {
    return Error(Code::kInvalidArgument, "Thing group " + parent + " already has the maximum number of children (" +
                                             std::to_string(quotas.children_per_group) + ")");
  }
  return {};
}

Result<std::string> RootOf(ConstReader reader, const std::string& group) {
  FW_ASSIGN(auto ancestors, AncestorsOf(reader, group));
  return ancestors.empty() ? group : ancestors.back();
}

Status AddMember(Transaction& tx, ChangeSet& changes, const Quotas& quotas, const std::string& group,
                 const Thing& thing, bool override_dynamic) {
  const std::string& name = thing.name.value();
  FW_ASSIGN(ThingGroup found, GetThingGroup(tx, group));
  FW_TRY(RefuseDynamic(tx, group, "its query alone says what is in it"));
  FW_ASSIGN(auto present, PartsUnder(tx, kGroupsOfThing, name));
  if (std::find(present.begin(), present.end(), group) != present.end()) return {};
  bool full = present.size() >= quotas.groups_per_thing;
  if (full && override_dynamic) {
    FW_ASSIGN(bool left, LeaveYoungestDynamicGroup(tx, changes, thing, Timestamp::min()));
    full = !left;
  }
  if (full) {
    return Error(Code::kInvalidArgument, "Thing " + name + " is already in the maximum number of groups (" +
                                             std::to_string(quotas.groups_per_thing) + ")");
  }
  FW_ASSIGN(std::string root, RootOf(tx, group));
  for (const std::string& other : present) {
    FW_ASSIGN(std::string other_root, RootOf(tx, other));
    if (other_root != root) continue;
    return Error(Code::kInvalidArgument, "Thing " + name + " is already in thing group " + other +
                                             ", which is in the same hierarchy as " + group);
  }
  FW_TRY(PutLink(tx, kGroupMembers, kGroupsOfThing, group, name));
  changes.Add(MembershipChanged{thing.name, found.name, true, thing.id, found.id});
  return {};
}

Status RemoveMember(Transaction& tx, ChangeSet& changes, const ThingGroup& group, const Thing& thing) {
  const std::string& group_name = group.name.value();
  FW_ASSIGN(bool member, HasLink(tx, kGroupMembers, group_name, thing.name.value()));
  if (!member) return {};
  FW_TRY(EraseLink(tx, kGroupMembers, kGroupsOfThing, group_name, thing.name.value()));
  changes.Add(MembershipChanged{thing.name, group.name, false, thing.id, group.id});
  return {};
}

// True when none is left.
Result<bool> RemoveSomeMembers(Transaction& tx, ChangeSet& changes, const ThingGroup& group) {
  FW_ASSIGN(auto members, FirstPartsUnder(tx, kGroupMembers, group.name.value(), kStep));
  for (const std::string& member : members) {
    FW_ASSIGN(Thing thing, GetThing(tx, member));
    FW_TRY(RemoveMember(tx, changes, group, thing));
  }
  return members.size() < kStep;
}

Result<std::vector<ThingGroup>> ParentsOf(ConstReader reader, const ThingGroup& group) {
  std::vector<ThingGroup> parents;
  FW_ASSIGN(auto names, AncestorsOf(reader, group.name.value()));
  for (const std::string& name : names) {
    FW_ASSIGN(ThingGroup parent, GetThingGroup(reader, name));
    parents.push_back(std::move(parent));
  }
  return parents;
}

// A page of a group's children, or of the roots; the position is the last name given.
Result<Page<GroupName>> PageOfChildren(ConstReader reader, const std::string& parent, const std::string& prefix,
                                       PageRequest request) {
  std::string from = OrderedKey({parent, prefix});
  from.resize(from.size() - 2);  // without the mark that ends the part
  if (!request.after.empty()) request.after = OrderedKey({parent, request.after});
  FW_ASSIGN(auto page, PageOf<GroupName>(reader, kGroupChildren, from, PrefixEnd(from), request,
                                         [](std::string_view key, std::string_view) -> Result<std::optional<GroupName>> {
                                           auto parts = store::SplitOrderedKey(key);
                                           if (!parts) return Error(Code::kCorrupt, "a stored link is damaged");
                                           return std::optional<GroupName>(GroupName(parts->back()));
                                         }));
  if (!page.next.empty()) page.next = page.items.back().value();
  return page;
}

// Groups from a root to one below it, as a list goes through them: a group, what is below it by name, its next sibling.
// Parents never change, so a place is found again whatever came or went, its own group included.
using Path = std::vector<std::string>;

Result<std::optional<std::string>> FirstChild(ConstReader reader, const std::string& parent, const std::string& after) {
  std::string range = OrderedKey({parent});
  std::optional<std::string> first;
  FW_TRY(reader.Scan(kGroupChildren, after.empty() ? range : KeyAfter(OrderedKey({parent, after})), PrefixEnd(range),
                     [&](std::string_view key, std::string_view) {
                       if (auto parts = store::SplitOrderedKey(key)) first = std::move(parts->back());
                       return false;
                     }));
  return first;
}

// False, with an empty path, behind the last one.
Result<bool> ToNextGroup(ConstReader reader, Path& path) {
  std::string after;
  while (!path.empty()) {
    FW_ASSIGN(auto next, FirstChild(reader, path.back(), after));
    if (next) {
      path.push_back(std::move(*next));
      return true;
    }
    after = std::move(path.back());
    path.pop_back();
  }
  return false;
}

// The place that a position names; without one that is of this root, the root.
Path PathFrom(const std::string& root, Path position) {
  if (position.empty() || position.front() != root) return {root};
  return position;
}

// A page of the groups below one. The position is the path to the last one looked at.
Result<Page<GroupName>> PageOfDescendants(ConstReader reader, const std::string& root, const std::string& prefix,
                                          const PageRequest& request) {
  Path path = PathFrom(root, store::SplitOrderedKey(request.after).value_or(Path()));
  Page<GroupName> page;
  for (std::size_t looked_at = 0;; ++looked_at) {
    std::string here = OrderedKey(path);
    FW_ASSIGN(bool more, ToNextGroup(reader, path));
    if (!more) return page;
    if (looked_at == kMaxGroupsLookedAt || (page.items.size() == request.limit && path.back().starts_with(prefix))) {
      page.next = here;
      return page;
    }
    if (path.back().starts_with(prefix)) page.items.emplace_back(path.back());
  }
}

// The members of a group that follow `last`, as far as there is room. True when there are more; `last` follows.
Result<bool> AddMembersOf(ConstReader reader, const std::string& group, std::size_t limit, std::string& last,
                          std::vector<model::ThingName>& members) {
  std::string range = OrderedKey({group});
  bool more = false;
  FW_TRY(reader.Scan(kGroupMembers, last.empty() ? range : KeyAfter(OrderedKey({group, last})), PrefixEnd(range),
                     [&](std::string_view key, std::string_view) {
                       more = members.size() == limit;
                       auto parts = more ? std::nullopt : store::SplitOrderedKey(key);
                       if (!parts) return !more;
                       last = parts->back();
                       members.emplace_back(std::move(parts->back()));
                       return true;
                     }));
  return more;
}

// The position is the path to a group and its last member given.
Result<Page<model::ThingName>> MembersOfSubtree(ConstReader reader, const std::string& group,
                                                const PageRequest& request) {
  Path position = store::SplitOrderedKey(request.after).value_or(Path());
  std::string last;
  if (!position.empty()) {
    last = std::move(position.back());
    position.pop_back();
  }
  Path path = PathFrom(group, std::move(position));
  Page<model::ThingName> page;
  for (std::size_t looked_at = 0;; ++looked_at) {
    FW_ASSIGN(bool more, AddMembersOf(reader, path.back(), request.limit, last, page.items));
    if (more || looked_at == kMaxGroupsLookedAt) {
      path.push_back(std::move(last));
      page.next = OrderedKey(path);
      return page;
    }
    last.clear();
    FW_ASSIGN(more, ToNextGroup(reader, path));
    if (!more) return page;
  }
}

}  // namespace

Status CheckVersion(const ThingGroup& group, std::optional<std::int64_t> expected) {
  if (!expected || *expected == group.version) return {};
  return Error(Code::kVersionConflict,
               "The version for thing group " + group.name.value() + " does not match the expected version.");
}

Result<ThingGroup> PutUpdated(Transaction& tx, const ThingGroup& before, const ThingGroupUpdate& update,
                              const Quotas& quotas) {
  FW_TRY(CheckVersion(before, update.expected_version));
  ThingGroup now = before;
  if (update.description) now.description = *update.description;
  if (update.attributes) now.attributes = UpdatedAttributes(before.attributes, *update.attributes, update.merge);
  FW_TRY(CheckAttributes(now.attributes, quotas.group_attributes, quotas));
  ++now.version;
  FW_TRY(tx.Put(kThingGroups, now.name.value(), Encode(now)));
  return now;
}

Result<ThingGroup> ThingGroups::Create(std::string_view actor, const NewThingGroup& request) {
  FW_TRY(CheckAttributes(request.attributes, context_.quotas.group_attributes, context_.quotas));
  const std::string& name = request.name.value();
  return Apply<ThingGroup>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<ThingGroup> {
    FW_ASSIGN(auto present, FindThingGroup(tx, name));
    if (present) {
      if (SameContent(*present, request)) return std::move(*present);
      return Error(Code::kAlreadyExists, "Thing group " + name + " already exists with different properties")
          .WithField("resourceId", name)
          .WithField("resourceArn", context_.arns.ThingGroup(name));
    }
    FW_TRY(CheckPlace(tx, request.parent, context_.quotas));
    FW_ASSIGN(std::uint64_t last, tx.LastChange());
    ThingGroup group{request.name, Id128::Random(), request.parent, request.description, request.attributes, 1,
                     context_.clock.Now(), last + 1};
    FW_TRY(tx.Put(kThingGroups, name, Encode(group)));
    FW_TRY(tx.Put(kGroupChildren, OrderedKey({group.parent, name}), ""));
    FW_TRY(PutTags(tx, GroupTarget(name), request.tags, context_.quotas));
    FW_ASSIGN(auto parents, ParentsOf(tx, group));
    changes.Add(ThingGroupChanged{group.name, std::nullopt, group, std::move(parents)});
    return group;
  });
}

Result<ThingGroupDescription> ThingGroups::Describe(const GroupName& name) const {
  return store::ReadFor<ThingGroupDescription>(context_.store,
                                               [&](ConstReader reader) -> Result<ThingGroupDescription> {
    ThingGroupDescription description;
    FW_ASSIGN(description.group, GetThingGroup(reader, name.value()));
    FW_ASSIGN(auto ancestors, AncestorsOf(reader, name.value()));
    description.root_to_parent.reserve(ancestors.size());
    for (auto it = ancestors.rbegin(); it != ancestors.rend(); ++it) description.root_to_parent.emplace_back(*it);
    return description;
  });
}

Result<Page<GroupName>> ThingGroups::List(const ThingGroupFilter& filter, const PageRequest& request) const {
  return store::ReadFor<Page<GroupName>>(context_.store, [&](ConstReader reader) -> Result<Page<GroupName>> {
    if (!filter.parent.empty()) {
      FW_ASSIGN(ThingGroup parent, GetThingGroup(reader, filter.parent));
      if (filter.recursive.value_or(false)) {
        return PageOfDescendants(reader, filter.parent, filter.name_prefix, request);
      }
    }
    if (!filter.parent.empty() || !filter.recursive.value_or(true)) {
      return PageOfChildren(reader, filter.parent, filter.name_prefix, request);
    }
    return PageOf<GroupName>(reader, kThingGroups, filter.name_prefix, PrefixEnd(filter.name_prefix), request,
                             [](std::string_view key, std::string_view) -> Result<std::optional<GroupName>> {
                               return std::optional<GroupName>(GroupName(key));
                             });
  });
}

Result<std::int64_t> ThingGroups::Update(std::string_view actor, const GroupName& name,
                                         const ThingGroupUpdate& update) {
  return Apply<std::int64_t>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<std::int64_t> {
    FW_ASSIGN(ThingGroup before, GetThingGroup(tx, name.value()));
    FW_TRY(RefuseDynamic(tx, name.value(), "use UpdateDynamicThingGroup"));
    FW_ASSIGN(ThingGroup now, PutUpdated(tx, before, update, context_.quotas));
    FW_ASSIGN(auto parents, ParentsOf(tx, now));
    changes.Add(ThingGroupChanged{name, std::move(before), now, std::move(parents)});
    return now.version;
  });
}

Status ThingGroups::Delete(std::string_view actor, const GroupName& name,
                           std::optional<std::int64_t> expected_version) {
  bool done = false;
  auto step = [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto group, FindThingGroup(tx, name.value()));
    done = true;
    if (!group) return {};
    FW_TRY(RefuseDynamic(tx, name.value(), "use DeleteDynamicThingGroup"));
    FW_TRY(CheckVersion(*group, expected_version));
    FW_ASSIGN(bool children, AnyUnder(tx, kGroupChildren, name.value()));
    if (children) {
      return Error(Code::kInvalidArgument, "Cannot delete thing group : " + name.value() +
                                               " when there are still child groups attached to it");
    }
    FW_ASSIGN(done, RemoveSomeMembers(tx, changes, *group));
    if (!done) return {};
    FW_ASSIGN(auto parents, ParentsOf(tx, *group));
    FW_TRY(DetachAllPolicies(tx, changes, GroupTarget(name.value())));
    FW_TRY(DetachAllProfiles(tx, changes, GroupTarget(name.value())));
    FW_TRY(tx.Erase(kThingGroups, name.value()));
    FW_TRY(tx.Erase(kGroupChildren, OrderedKey({group->parent, name.value()})));
    FW_TRY(EraseTags(tx, GroupTarget(name.value())));
    changes.Add(ThingGroupChanged{name, std::move(group), std::nullopt, std::move(parents)});
    return {};
  };
  while (!done) FW_TRY(ApplyStatus(context_, actor, step));
  context_.enforcement.Settle();
  return {};
}

Status ThingGroups::AddThing(std::string_view actor, const GroupName& group, const model::ThingName& thing,
                             bool override_dynamic) {
  return UpdateForThing(actor, thing, {group.value()}, {}, override_dynamic);
}

Status ThingGroups::RemoveThing(std::string_view actor, const GroupName& group, const model::ThingName& thing) {
  return UpdateForThing(actor, thing, {}, {group.value()});
}

Status ThingGroups::UpdateForThing(std::string_view actor, const model::ThingName& thing,
                                   const std::vector<std::string>& add, const std::vector<std::string>& remove,
                                   bool override_dynamic) {
  Status updated = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Thing found, GetThing(tx, thing.value()));
    for (const std::string& group : remove) {
      FW_ASSIGN(ThingGroup present, GetThingGroup(tx, group));
      FW_TRY(RefuseDynamic(tx, group, "its query alone says what is in it"));
      FW_TRY(RemoveMember(tx, changes, present, found));
    }
    for (const std::string& group : add) {
      FW_TRY(AddMember(tx, changes, context_.quotas, group, found, override_dynamic));
    }
    return {};
  });
  if (updated.ok()) context_.enforcement.Settle();
  return updated;
}

Result<Page<model::ThingName>> ThingGroups::ListThings(const GroupName& group, bool recursive,
                                                       const PageRequest& page) const {
  return store::ReadFor<Page<model::ThingName>>(context_.store,
                                                [&](ConstReader reader) -> Result<Page<model::ThingName>> {
    FW_ASSIGN(ThingGroup found, GetThingGroup(reader, group.value()));
    if (recursive) return MembersOfSubtree(reader, found.name.value(), page);
    return PageOfParts<model::ThingName>(reader, kGroupMembers, group.value(), page);
  });
}

Result<Page<GroupName>> ThingGroups::ListForThing(const model::ThingName& thing, const PageRequest& page) const {
  return store::ReadFor<Page<GroupName>>(context_.store, [&](ConstReader reader) -> Result<Page<GroupName>> {
    FW_ASSIGN(Thing found, GetThing(reader, thing.value()));
    return PageOfParts<GroupName>(reader, kGroupsOfThing, thing.value(), page);
  });
}

}  // namespace fleetward::registry
