#include "fleetward/registry/things.h"

#include "access.h"

namespace fleetward::registry {
namespace {

Status CheckType(ConstReader reader, const std::string& type) {
  if (type.empty()) return {};
  FW_ASSIGN(ThingType found, GetThingType(reader, type));
  if (found.deprecated) {
    return Error(Code::kInvalidArgument, "Can not create or update a thing with deprecated thing type: " + type);
  }
  return {};
}

Status CheckVersion(const Thing& thing, std::optional<std::int64_t> expected) {
  if (!expected || *expected == thing.version) return {};
  return Error(Code::kVersionConflict,
               "The version for thing " + thing.name.value() + " does not match the expected version.");
}

std::size_t MaxAttributes(const Quotas& quotas, const std::string& type) {
  return type.empty() ? quotas.attributes_without_type : quotas.attributes_with_type;
}

// Keeps the indexes in step. Either thing may be null.
Status Reindex(Transaction& tx, const Thing* before, const Thing* now) {
  auto each = [&](const Thing& thing, const Thing* other, auto&& change) -> Status {
    const std::string& name = thing.name.value();
    if (!thing.type.empty() && (!other || other->type != thing.type)) {
      FW_TRY(change(kThingsByType, OrderedKey({thing.type, name})));
    }
    if (!thing.billing_group.empty() && (!other || other->billing_group != thing.billing_group)) {
      FW_TRY(change(kThingsByBillingGroup, OrderedKey({thing.billing_group, name})));
    }
    for (const auto& [key, value] : thing.attributes) {
      auto same = other ? other->attributes.find(key) : thing.attributes.end();
      if (other && same != other->attributes.end() && same->second == value) continue;
      FW_TRY(change(kThingsByAttribute, OrderedKey({key, value, name})));
    }
    return {};
  };
  if (before) {
    FW_TRY(each(*before, now, [&](const Table& table, const std::string& key) { return tx.Erase(table, key); }));
  }
  if (!now) return {};
  return each(*now, before, [&](const Table& table, const std::string& key) { return tx.Put(table, key, ""); });
}

Status StoreThing(Transaction& tx, ChangeSet& changes, std::optional<Thing> before, const Thing& now) {
  FW_TRY(Reindex(tx, before ? &*before : nullptr, &now));
  FW_TRY(tx.Put(kThings, now.name.value(), Encode(now)));
  changes.Add(ThingChanged{now.name, std::move(before), now});
  return {};
}

// Index entries end in the thing's name.
Result<std::optional<Thing>> ThingOfIndex(ConstReader reader, std::string_view key) {
  auto parts = store::SplitOrderedKey(key);
  if (!parts || parts->empty()) return Error(Code::kCorrupt, "a stored index entry is damaged");
  return FindThing(reader, parts->back());
}

}  // namespace

Result<Thing> Things::Create(std::string_view actor, const NewThing& request) {
  FW_TRY(CheckAttributes(request.attributes, MaxAttributes(context_.quotas, request.type), context_.quotas));
  const std::string& name = request.name.value();
  auto created = Apply<Thing>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<Thing> {
    FW_ASSIGN(auto present, FindThing(tx, name));
    if (present) {
      if (present->type == request.type && present->attributes == request.attributes &&
          present->billing_group == request.billing_group) {
        return std::move(*present);
      }
      return Error(Code::kAlreadyExists, "Thing " + name + " already exists in account " +
                                             context_.arns.account().value() + " with different attributes")
          .WithField("resourceId", name)
          .WithField("resourceArn", context_.arns.Thing(name));
    }
    FW_TRY(CheckType(tx, request.type));
    if (!request.billing_group.empty()) {
      FW_ASSIGN(auto billing_group, tx.Get(kBillingGroups, request.billing_group));
      if (!billing_group) return NotFound("billing group", request.billing_group);
    }
    FW_ASSIGN(std::uint64_t last, tx.LastChange());
    Thing thing{request.name, Id128::Random(), request.type, request.billing_group, request.attributes, 1,
                context_.clock.Now(), last + 1};
    FW_TRY(StoreThing(tx, changes, std::nullopt, thing));
    return thing;
  });
  return created;
}

Result<Thing> Things::Describe(const model::ThingName& name) const {
  return store::ReadFor<Thing>(context_.store, [&](ConstReader reader) { return GetThing(reader, name.value()); });
}

Result<Page<Thing>> Things::List(const ThingFilter& filter, const PageRequest& page) const {
  bool by_attribute = !filter.attribute_name.empty();
  if (!by_attribute && (!filter.attribute_value.empty() || filter.attribute_value_is_prefix)) {
    return Error(Code::kInvalidArgument, "attributeValue and usePrefixAttributeValue need an attributeName");
  }
  return store::ReadFor<Page<Thing>>(context_.store, [&](ConstReader reader) -> Result<Page<Thing>> {
    auto indexed = [&](std::string_view key, std::string_view) -> Result<std::optional<Thing>> {
      FW_ASSIGN(auto thing, ThingOfIndex(reader, key));
      // Both filters given: the attribute's index is walked, the type is looked at.
      if (thing && !filter.type.empty() && thing->type != filter.type) thing.reset();
      return thing;
    };
    if (by_attribute) {
      std::string from = OrderedKey({filter.attribute_name});
      std::string exact = OrderedKey({filter.attribute_name, filter.attribute_value});
      if (filter.attribute_value_is_prefix) {
        exact.resize(exact.size() - 2);  // without the mark that ends the part
        from = exact;
      } else if (!filter.attribute_value.empty()) {
        from = exact;
      }
      return PageOf<Thing>(reader, kThingsByAttribute, from, PrefixEnd(from), page, indexed);
    }
    if (!filter.type.empty()) {
      std::string from = OrderedKey({filter.type});
      return PageOf<Thing>(reader, kThingsByType, from, PrefixEnd(from), page, indexed);
    }
    return PageOf<Thing>(reader, kThings, "", "", page,
                         [](std::string_view key, std::string_view value) -> Result<std::optional<Thing>> {
                           FW_ASSIGN(Thing thing, DecodeThing(key, value));
                           return std::optional<Thing>(std::move(thing));
                         });
  });
}

Status Things::Update(std::string_view actor, const model::ThingName& name, const ThingUpdate& update) {
  if (update.remove_type && update.type) {
    return Error(Code::kInvalidArgument, "removeThingType cannot be true when a thingTypeName is given");
  }
  Status updated = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Thing before, GetThing(tx, name.value()));
    FW_TRY(CheckVersion(before, update.expected_version));
    Thing now = before;
    if (update.remove_type) now.type.clear();
    if (update.type && *update.type != before.type) {
      FW_TRY(CheckType(tx, *update.type));
      now.type = *update.type;
    }
    if (update.attributes) now.attributes = UpdatedAttributes(before.attributes, *update.attributes, update.merge);
    FW_TRY(CheckAttributes(now.attributes, MaxAttributes(context_.quotas, now.type), context_.quotas));
    ++now.version;
    return StoreThing(tx, changes, std::move(before), now);
  });
  // Types and attributes are policy variables.
  if (updated.ok()) context_.enforcement.Settle();
  return updated;
}

Status Things::Delete(std::string_view actor, const model::ThingName& name,
                      std::optional<std::int64_t> expected_version) {
  bool deleted = false;
  Status status = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto thing, FindThing(tx, name.value()));
    if (!thing) return {};
    FW_TRY(CheckVersion(*thing, expected_version));
    FW_ASSIGN(bool attached, AnyUnder(tx, kThingPrincipals, name.value()));
    if (attached) {
      return Error(Code::kInvalidArgument,
                   "Cannot delete. Thing " + name.value() + " is still attached to one or more principals");
    }
    FW_ASSIGN(auto groups, PartsUnder(tx, kGroupsOfThing, name.value()));
    for (const std::string& group : groups) {
      FW_ASSIGN(ThingGroup found, GetThingGroup(tx, group));
      FW_TRY(EraseLink(tx, kGroupMembers, kGroupsOfThing, group, name.value()));
      changes.Add(MembershipChanged{name, found.name, false, thing->id, found.id});
    }
    FW_TRY(Reindex(tx, &*thing, nullptr));
    FW_TRY(tx.Erase(kThings, name.value()));
    changes.Add(ThingChanged{name, std::move(thing), std::nullopt});
    deleted = true;
    return {};
  });
  if (status.ok() && deleted) context_.enforcement.Settle();
  return status;
}

Status Things::AttachPrincipal(std::string_view actor, const model::ThingName& name, std::string_view principal) {
  FW_ASSIGN(std::string id, CertificateIdOf(context_.arns, principal));
  Status attached = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Thing thing, GetThing(tx, name.value()));
    FW_ASSIGN(Certificate certificate, GetCertificate(tx, id));
    FW_ASSIGN(auto present, PartsUnder(tx, kThingPrincipals, name.value()));
    if (std::find(present.begin(), present.end(), id) != present.end()) return {};
    if (present.size() >= context_.quotas.principals_per_thing) {
      return Error(Code::kInvalidArgument, "Thing " + name.value() + " already has " +
                                               std::to_string(present.size()) + " principals");
    }
    FW_TRY(PutLink(tx, kPrincipalThings, kThingPrincipals, id, name.value()));
    changes.Add(AttachmentChanged{certificate.id, name, true});
    return {};
  });
  if (attached.ok()) context_.enforcement.Settle();
  return attached;
}

Status Things::DetachPrincipal(std::string_view actor, const model::ThingName& name, std::string_view principal) {
  FW_ASSIGN(std::string id, CertificateIdOf(context_.arns, principal));
  Status detached = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Thing thing, GetThing(tx, name.value()));
    FW_ASSIGN(Certificate certificate, GetCertificate(tx, id));
    FW_ASSIGN(bool attached, HasLink(tx, kPrincipalThings, id, name.value()));
    if (!attached) return {};
    FW_TRY(EraseLink(tx, kPrincipalThings, kThingPrincipals, id, name.value()));
    changes.Add(AttachmentChanged{certificate.id, name, false});
    return {};
  });
  if (detached.ok()) context_.enforcement.Settle();
  return detached;
}

Result<Page<std::string>> Things::ListPrincipals(const model::ThingName& name, const PageRequest& page) const {
  return store::ReadFor<Page<std::string>>(context_.store, [&](ConstReader reader) -> Result<Page<std::string>> {
    FW_ASSIGN(Thing thing, GetThing(reader, name.value()));
    FW_ASSIGN(auto ids, PageOfParts<std::string>(reader, kThingPrincipals, name.value(), page));
    for (std::string& id : ids.items) id = context_.arns.Certificate(id);
    return ids;
  });
}

Result<Page<model::ThingName>> Things::ListPrincipalThings(std::string_view principal,
                                                           const PageRequest& page) const {
  FW_ASSIGN(std::string id, CertificateIdOf(context_.arns, principal));
  return store::ReadFor<Page<model::ThingName>>(context_.store,
                                                [&](ConstReader reader) -> Result<Page<model::ThingName>> {
    FW_ASSIGN(Certificate certificate, GetCertificate(reader, id));
    return PageOfParts<model::ThingName>(reader, kPrincipalThings, id, page);
  });
}

}  // namespace fleetward::registry
