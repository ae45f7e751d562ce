#include "fleetward/registry/dynamic_thing_groups.h"

#include "group_access.h"
#include "fleetward/base/encoding.h"
#include "fleetward/index/query.h"
#include "lookup.h"
#include "profile_access.h"

namespace fleetward::registry {
namespace {

using GroupName = model::ThingGroupName;

constexpr std::uint8_t kRecordVersion = 1;

Status CheckQuery(const std::string& query) {
  auto parsed = index::ParseQuery(query);
  if (!parsed.ok()) return std::move(parsed).error();
  return {};
}

Result<DynamicQuery> GetDynamicQuery(ConstReader reader, const GroupName& name) {
  FW_ASSIGN(auto query, FindDynamicQuery(reader, name.value()));
  if (query) return std::move(*query);
  return Error(Code::kInvalidArgument, "Thing group " + name.value() + " is not a dynamic thing group");
}

Status Leave(Transaction& tx, ChangeSet& changes, const ThingGroup& group, const Thing& thing) {
  FW_TRY(EraseLink(tx, kGroupMembers, kGroupsOfThing, group.name.value(), thing.name.value()));
  changes.Add(MembershipChanged{thing.name, group.name, false, thing.id, group.id});
  return {};
}

// Members let go in one transaction when a group is deleted. True when none is left.
Result<bool> SomeLeave(Transaction& tx, ChangeSet& changes, const ThingGroup& group) {
  constexpr std::size_t kStep = 500;
  FW_ASSIGN(auto members, FirstPartsUnder(tx, kGroupMembers, group.name.value(), kStep));
  for (const std::string& member : members) {
    FW_ASSIGN(Thing thing, GetThing(tx, member));
    FW_TRY(Leave(tx, changes, group, thing));
  }
  return members.size() < kStep;
}

}  // namespace

std::string Encode(const DynamicQuery& query) {
  std::string record;
  ByteWriter out(record);
  out.U8(kRecordVersion);
  out.U8(static_cast<std::uint8_t>(query.status));
  out.Bytes(query.query);
  return record;
}

Result<DynamicQuery> DecodeDynamicQuery(std::string_view record) {
  ByteReader in(record);
  DynamicQuery query;
  bool good = in.U8() == kRecordVersion;
  std::uint8_t status = in.U8();
  query.query = std::string(in.Bytes());
  if (!good || !in.ok() || !in.AtEnd() || status > static_cast<std::uint8_t>(DynamicGroupStatus::kRebuilding)) {
    return Error(Code::kCorrupt, "the stored dynamic thing group is damaged");
  }
  query.status = static_cast<DynamicGroupStatus>(status);
  return query;
}

Result<std::optional<DynamicQuery>> FindDynamicQuery(ConstReader reader, std::string_view group) {
  return registry::Find<DynamicQuery>(reader, kDynamicGroups, group, DecodeDynamicQuery);
}

Status RefuseDynamic(ConstReader reader, std::string_view group, std::string_view why) {
  FW_ASSIGN(auto query, FindDynamicQuery(reader, group));
  if (!query) return {};
  return Error(Code::kInvalidArgument, std::string(group) + " is a dynamic thing group: " + std::string(why));
}

Result<bool> LeaveYoungestDynamicGroup(Transaction& tx, ChangeSet& changes, const Thing& thing,
                                       Timestamp younger_than) {
  FW_ASSIGN(auto groups, PartsUnder(tx, kGroupsOfThing, thing.name.value()));
  std::optional<ThingGroup> youngest;
  for (const std::string& name : groups) {
    FW_ASSIGN(auto query, FindDynamicQuery(tx, name));
    if (!query) continue;
    FW_ASSIGN(ThingGroup group, GetThingGroup(tx, name));
    if (group.created > younger_than && (!youngest || group.created > youngest->created)) youngest = std::move(group);
  }
  if (!youngest) return false;
  FW_TRY(Leave(tx, changes, *youngest, thing));
  return true;
}

Result<ThingGroup> DynamicThingGroups::Create(std::string_view actor, const NewDynamicThingGroup& request) {
  FW_TRY(CheckQuery(request.query));
  FW_TRY(CheckAttributes(request.attributes, context_.quotas.group_attributes, context_.quotas));
  const std::string& name = request.name.value();
  return Apply<ThingGroup>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<ThingGroup> {
    FW_ASSIGN(auto present, FindThingGroup(tx, name));
    if (present) {
      FW_ASSIGN(auto query, FindDynamicQuery(tx, name));
      if (query && query->query == request.query && present->description == request.description &&
          present->attributes == request.attributes) {
        return std::move(*present);
      }
      return Error(Code::kAlreadyExists, "Thing group " + name + " already exists with different properties")
          .WithField("resourceId", name)
          .WithField("resourceArn", context_.arns.ThingGroup(name));
    }
    std::size_t count = 0;
    FW_TRY(tx.Scan(kDynamicGroups, "", "", [&](std::string_view, std::string_view) { return ++count > 0; }));
    if (count >= context_.quotas.dynamic_groups) {
      return Error(Code::kLimitExceeded, "An account may have at most " +
                                             std::to_string(context_.quotas.dynamic_groups) + " dynamic thing groups");
    }
    FW_ASSIGN(std::uint64_t last, tx.LastChange());
    ThingGroup group{request.name, Id128::Random(), {}, request.description, request.attributes, 1,
                     context_.clock.Now(), last + 1};
    FW_TRY(tx.Put(kThingGroups, name, Encode(group)));
    FW_TRY(tx.Put(kGroupChildren, OrderedKey({"", name}), ""));
    FW_TRY(tx.Put(kDynamicGroups, name, Encode(DynamicQuery{request.query, DynamicGroupStatus::kBuilding})));
    FW_TRY(PutTags(tx, GroupTarget(name), request.tags, context_.quotas));
    changes.Add(ThingGroupChanged{group.name, std::nullopt, group});
    return group;
  });
}

Result<std::int64_t> DynamicThingGroups::Update(std::string_view actor, const GroupName& name,
                                                const ThingGroupUpdate& update,
                                                const std::optional<std::string>& query) {
  if (query) FW_TRY(CheckQuery(*query));
  return Apply<std::int64_t>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<std::int64_t> {
    FW_ASSIGN(ThingGroup before, GetThingGroup(tx, name.value()));
    FW_ASSIGN(DynamicQuery present, GetDynamicQuery(tx, name));
    FW_ASSIGN(ThingGroup now, PutUpdated(tx, before, update, context_.quotas));
    if (query && *query != present.query) {
      FW_TRY(tx.Put(kDynamicGroups, name.value(), Encode(DynamicQuery{*query, DynamicGroupStatus::kRebuilding})));
    }
    changes.Add(ThingGroupChanged{name, std::move(before), now});
    return now.version;
  });
}

Status DynamicThingGroups::Delete(std::string_view actor, const GroupName& name,
                                  std::optional<std::int64_t> expected_version) {
  bool done = false;
  auto step = [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto group, FindThingGroup(tx, name.value()));
    done = true;
    if (!group) return {};
    FW_ASSIGN(DynamicQuery query, GetDynamicQuery(tx, name));
    FW_TRY(CheckVersion(*group, expected_version));
    FW_ASSIGN(done, SomeLeave(tx, changes, *group));
    if (!done) {
      // Its query is asked no more, so that nothing joins again between the steps.
      query.query.clear();
      return tx.Put(kDynamicGroups, name.value(), Encode(query));
    }
    FW_TRY(DetachAllProfiles(tx, changes, GroupTarget(name.value())));
    FW_TRY(tx.Erase(kThingGroups, name.value()));
    FW_TRY(tx.Erase(kGroupChildren, OrderedKey({"", name.value()})));
    FW_TRY(tx.Erase(kDynamicGroups, name.value()));
    FW_TRY(EraseTags(tx, GroupTarget(name.value())));
    changes.Add(ThingGroupChanged{name, std::move(group), std::nullopt});
    return {};
  };
  while (!done) FW_TRY(ApplyStatus(context_, actor, step));
  return {};
}

Result<std::optional<DynamicQuery>> DynamicThingGroups::Find(const GroupName& name) const {
  return store::ReadFor<std::optional<DynamicQuery>>(
      context_.store, [&](ConstReader reader) { return FindDynamicQuery(reader, name.value()); });
}

Result<std::vector<std::pair<GroupName, DynamicQuery>>> DynamicThingGroups::All() const {
  using Groups = std::vector<std::pair<GroupName, DynamicQuery>>;
  return store::ReadFor<Groups>(context_.store, [&](ConstReader reader) -> Result<Groups> {
    Groups groups;
    Status damaged;
    FW_TRY(reader.Scan(kDynamicGroups, "", "", [&](std::string_view key, std::string_view value) {
      auto query = DecodeDynamicQuery(value);
      if (query.ok()) {
        groups.emplace_back(GroupName(key), std::move(*query));
      } else {
        damaged = query.error();
      }
      return damaged.ok();
    }));
    FW_TRY(damaged);
    return groups;
  });
}

Status DynamicThingGroups::SetMembers(const GroupName& name, std::string_view query,
                                      const std::vector<DynamicMembership>& members, std::size_t& refused) {
  std::size_t full = 0;
  Status set = ApplyStatus(context_, "fleet-index", [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto present, FindDynamicQuery(tx, name.value()));
    if (!present || present->query != query) return {};
    FW_ASSIGN(ThingGroup group, GetThingGroup(tx, name.value()));
    for (const DynamicMembership& wanted : members) {
      FW_ASSIGN(bool is_member, HasLink(tx, kGroupMembers, name.value(), wanted.thing.value()));
      if (is_member == wanted.member) continue;
      FW_ASSIGN(auto thing, FindThing(tx, wanted.thing.value()));
      if (!thing) continue;
      if (!wanted.member) {
        FW_TRY(Leave(tx, changes, group, *thing));
        continue;
      }
      FW_ASSIGN(auto groups, PartsUnder(tx, kGroupsOfThing, wanted.thing.value()));
      if (groups.size() >= context_.quotas.groups_per_thing) {
        ++full;  // either this group does without the thing or another one does
        FW_ASSIGN(bool room, LeaveYoungestDynamicGroup(tx, changes, *thing, group.created));
        if (!room) continue;
      }
      FW_TRY(PutLink(tx, kGroupMembers, kGroupsOfThing, name.value(), wanted.thing.value()));
      changes.Add(MembershipChanged{wanted.thing, name, true, thing->id, group.id});
    }
    return {};
  });
  if (set.ok()) refused += full;
  return set;
}

Status DynamicThingGroups::SetActive(const GroupName& name, std::string_view query) {
  return context_.store.Write("fleet-index", [&](Transaction& tx) -> Status {
    FW_ASSIGN(auto present, FindDynamicQuery(tx, name.value()));
    if (!present || present->query != query || present->status == DynamicGroupStatus::kActive) return {};
    present->status = DynamicGroupStatus::kActive;
    return tx.Put(kDynamicGroups, name.value(), Encode(*present));
  });
}

}  // namespace fleetward::registry
