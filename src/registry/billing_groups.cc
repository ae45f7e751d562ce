#include "fleetward/registry/billing_groups.h"

#include "access.h"
#include "lookup.h"
#include "record_form.h"

namespace fleetward::registry {
namespace {

// Things let go in one transaction when a group is deleted.
constexpr std::size_t kStep = 500;

std::string Encode(const BillingGroup& group) {
  std::string record;
  RecordWriter out(record);
  out.Id(group.id);
  out.SignedVarint(group.version);
  out.Time(group.created);
  out.Bytes(group.description);
  return record;
}

Result<BillingGroup> Decode(std::string_view name, std::string_view record) {
  RecordReader in(record);
  BillingGroup group;
  group.name = name;
  group.id = in.Id();
  group.version = in.SignedVarint();
  group.created = in.Time();
  group.description = in.Text();
  return in.Finish(std::move(group), "billing group");
}

Result<std::optional<BillingGroup>> FindGroup(ConstReader reader, std::string_view name) {
  return Find<BillingGroup>(reader, kBillingGroups, name, [&](std::string_view row) { return Decode(name, row); });
}

Result<BillingGroup> GetGroup(ConstReader reader, std::string_view name) {
  return OrNotFound(FindGroup(reader, name), "billing group", name);
}

Status CheckVersion(const BillingGroup& group, std::optional<std::int64_t> expected) {
  if (!expected || *expected == group.version) return {};
  return Error(Code::kVersionConflict,
               "The version for billing group " + group.name + " does not match the expected version.");
}

std::string ResourceOf(std::string_view name) { return "billinggroup/" + std::string(name); }

// A thing's version counts changes of its own content: its bill is none.
Status Assign(Transaction& tx, ChangeSet& changes, Thing thing, const std::string& group) {
  Thing before = thing;
  const std::string& name = thing.name.value();
  if (!thing.billing_group.empty()) {
    FW_TRY(tx.Erase(kThingsByBillingGroup, OrderedKey({thing.billing_group, name})));
  }
  if (!group.empty()) FW_TRY(tx.Put(kThingsByBillingGroup, OrderedKey({group, name}), ""));
  thing.billing_group = group;
  FW_TRY(tx.Put(kThings, name, Encode(thing)));
  changes.Add(ThingChanged{before.name, before, std::move(thing)});
  return {};
}

}  // namespace

Result<BillingGroup> BillingGroups::Create(std::string_view actor, const NewBillingGroup& request) {
  return Apply<BillingGroup>(context_, actor, [&](Transaction& tx, ChangeSet&) -> Result<BillingGroup> {
    FW_ASSIGN(auto present, FindGroup(tx, request.name));
    if (present) {
      if (present->description == request.description) return std::move(*present);
      return Error(Code::kAlreadyExists, "Billing group " + request.name + " already exists with different properties")
          .WithField("resourceId", request.name)
          .WithField("resourceArn", context_.arns.Of("billinggroup", request.name));
    }
    BillingGroup group{request.name, Id128::Random(), request.description, 1, context_.clock.Now()};
    FW_TRY(tx.Put(kBillingGroups, group.name, Encode(group)));
    FW_TRY(PutTags(tx, ResourceOf(group.name), request.tags, context_.quotas));
    return group;
  });
}

Result<BillingGroup> BillingGroups::Describe(std::string_view name) const {
  return store::ReadFor<BillingGroup>(context_.store, [&](ConstReader reader) { return GetGroup(reader, name); });
}

Result<Page<std::string>> BillingGroups::List(std::string_view name_prefix, const PageRequest& page) const {
  return store::ReadFor<Page<std::string>>(context_.store, [&](ConstReader reader) {
    return PageOf<std::string>(reader, kBillingGroups, name_prefix, PrefixEnd(name_prefix), page,
                               [](std::string_view key, std::string_view) -> Result<std::optional<std::string>> {
                                 return std::optional<std::string>(key);
                               });
  });
}

Result<std::int64_t> BillingGroups::Update(std::string_view actor, std::string_view name,
                                           const std::optional<std::string>& description,
                                           std::optional<std::int64_t> expected_version) {
  return Apply<std::int64_t>(context_, actor, [&](Transaction& tx, ChangeSet&) -> Result<std::int64_t> {
    FW_ASSIGN(BillingGroup group, GetGroup(tx, name));
    FW_TRY(CheckVersion(group, expected_version));
    if (description) group.description = *description;
    ++group.version;
    FW_TRY(tx.Put(kBillingGroups, name, Encode(group)));
    return group.version;
  });
}

Status BillingGroups::Delete(std::string_view actor, std::string_view name,
                             std::optional<std::int64_t> expected_version) {
  bool done = false;
  while (!done) {
    FW_TRY(ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
      FW_ASSIGN(auto group, FindGroup(tx, name));
      done = true;
      if (!group) return {};
      FW_TRY(CheckVersion(*group, expected_version));
      FW_ASSIGN(auto things, FirstPartsUnder(tx, kThingsByBillingGroup, name, kStep));
      for (const std::string& thing : things) {
        FW_ASSIGN(Thing found, GetThing(tx, thing));
        FW_TRY(Assign(tx, changes, std::move(found), {}));
      }
      done = things.size() < kStep;
      if (!done) return {};
      FW_TRY(tx.Erase(kBillingGroups, name));
      return EraseTags(tx, ResourceOf(name));
    }));
  }
  return {};
}

Status BillingGroups::AddThing(std::string_view actor, std::string_view group, const model::ThingName& thing) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(BillingGroup target, GetGroup(tx, group));
    FW_ASSIGN(Thing found, GetThing(tx, thing.value()));
    if (found.billing_group == target.name) return {};
    if (!found.billing_group.empty()) {
      return Error(Code::kInvalidArgument, "Thing " + thing.value() + " is already in billing group " +
                                               found.billing_group + "; remove it from there first");
    }
    return Assign(tx, changes, std::move(found), target.name);
  });
}

Status BillingGroups::RemoveThing(std::string_view actor, std::string_view group, const model::ThingName& thing) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(BillingGroup target, GetGroup(tx, group));
    FW_ASSIGN(Thing found, GetThing(tx, thing.value()));
    if (found.billing_group != target.name) return {};
    return Assign(tx, changes, std::move(found), {});
  });
}

Result<Page<model::ThingName>> BillingGroups::ListThings(std::string_view group, const PageRequest& page) const {
  return store::ReadFor<Page<model::ThingName>>(context_.store,
                                                [&](ConstReader reader) -> Result<Page<model::ThingName>> {
    FW_ASSIGN(BillingGroup found, GetGroup(reader, group));
    return PageOfParts<model::ThingName>(reader, kThingsByBillingGroup, found.name, page);
  });
}

}  // namespace fleetward::registry
