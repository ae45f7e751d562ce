#include "access.h"
#include "fleetward/registry/things.h"

namespace fleetward::registry {

Result<ThingType> ThingTypes::Create(std::string_view actor, const NewThingType& request) {
  if (request.searchable_attributes.size() > context_.quotas.searchable_attributes) {
    return Error(Code::kInvalidArgument, "A thing type may have at most " +
                                             std::to_string(context_.quotas.searchable_attributes) +
                                             " searchable attributes");
  }
  return Apply<ThingType>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<ThingType> {
    FW_ASSIGN(auto present, FindThingType(tx, request.name));
    if (present) {
      if (present->description == request.description &&
          present->searchable_attributes == request.searchable_attributes) {
        return std::move(*present);
      }
      return Error(Code::kAlreadyExists, "ThingType " + request.name + " already exists with different properties")
          .WithField("resourceId", request.name)
          .WithField("resourceArn", context_.arns.ThingType(request.name));
    }
    ThingType type{request.name, Id128::Random(), request.description, request.searchable_attributes,
                   context_.clock.Now(), std::nullopt};
    FW_TRY(tx.Put(kThingTypes, type.name, Encode(type)));
    FW_TRY(PutTags(tx, "thingtype/" + type.name, request.tags, context_.quotas));
    changes.Add(ThingTypeChanged{type.name, std::nullopt, type});
    return type;
  });
}

Result<ThingType> ThingTypes::Describe(std::string_view name) const {
  return store::ReadFor<ThingType>(context_.store, [&](ConstReader reader) { return GetThingType(reader, name); });
}

Result<Page<ThingType>> ThingTypes::List(std::string_view name, const PageRequest& page) const {
  return store::ReadFor<Page<ThingType>>(context_.store, [&](ConstReader reader) -> Result<Page<ThingType>> {
    if (!name.empty()) {
      FW_ASSIGN(auto found, FindThingType(reader, name));
      Page<ThingType> one;
      if (found && page.after.empty()) one.items.push_back(std::move(*found));
      return one;
    }
    return PageOf<ThingType>(reader, kThingTypes, "", "", page,
                             [](std::string_view key, std::string_view value) -> Result<std::optional<ThingType>> {
                               FW_ASSIGN(ThingType type, DecodeThingType(key, value));
                               return std::optional<ThingType>(std::move(type));
                             });
  });
}

Status ThingTypes::Deprecate(std::string_view actor, std::string_view name, bool undo) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(ThingType before, GetThingType(tx, name));
    if (undo != before.deprecated.has_value()) return {};
    ThingType now = before;
    if (undo) {
      now.deprecated.reset();
    } else {
      now.deprecated = context_.clock.Now();
    }
    FW_TRY(tx.Put(kThingTypes, name, Encode(now)));
    changes.Add(ThingTypeChanged{now.name, std::move(before), now});
    return {};
  });
}

Status ThingTypes::Delete(std::string_view actor, std::string_view name) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(ThingType type, GetThingType(tx, name));
    if (!type.deprecated) {
      return Error(Code::kInvalidArgument,
                   "Can not delete non-deprecated thing type: " + std::string(name) + ". Deprecate it first");
    }
    auto age = context_.clock.Now() - *type.deprecated;
    auto delay = std::chrono::seconds(context_.quotas.thing_type_delete_delay_seconds);
    if (age < delay) {
      return Error(Code::kInvalidArgument, "Thing type " + std::string(name) + " was deprecated less than " +
                                               std::to_string(delay.count()) + " seconds ago; try again later");
    }
    FW_ASSIGN(bool used, AnyUnder(tx, kThingsByType, name));
    if (used) {
      return Error(Code::kInvalidArgument,
                   "Can not delete thing type " + std::string(name) + ": there are still things of this type");
    }
    FW_TRY(tx.Erase(kThingTypes, name));
    changes.Add(ThingTypeChanged{type.name, type, std::nullopt});
    return EraseTags(tx, "thingtype/" + std::string(name));
  });
}

}  // namespace fleetward::registry
