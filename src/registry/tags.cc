#include "fleetward/registry/tags.h"

#include <algorithm>
#include <iterator>

#include "access.h"

namespace fleetward::registry {
namespace {

/// A kind of resource that carries tags, and the table that knows which there are.
struct TaggableKind {
  std::string_view type;
  std::string_view what;
  Table table;
};

constexpr TaggableKind kKinds[] = {
    {"thinggroup", "thing group", kThingGroups},
    {"thingtype", "thing type", kThingTypes},
    {"billinggroup", "billing group", kBillingGroups},
    {"policy", "policy", kPolicies},
    {"cacert", "CA certificate", kCaCertificates},
    {"securityprofile", "security profile", kSecurityProfiles},
    {"custommetric", "custom metric", kCustomMetrics},
    {"dimension", "dimension", kDimensions},
    {"rolealias", "role alias", kRoleAliases},
};

/// The tags' key of a resource that exists: "thinggroup/pumps".
Result<std::string> ResourceOf(ConstReader reader, const model::Arns& arns, std::string_view arn) {
  auto resource = arns.Parse(arn);
  if (!resource) {
    return Error(Code::kInvalidArgument,
                 "resourceArn is not the ARN of a resource of this account and region: " + std::string(arn));
  }
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const TaggableKind& each) { return each.type == resource->type; });
  if (kind == std::end(kKinds)) {
    return Error(Code::kInvalidArgument, "A resource of type " + resource->type + " cannot carry tags");
  }
  FW_ASSIGN(auto record, reader.Get(kind->table, resource->id));
  if (!record) return NotFound(kind->what, resource->id);
  return resource->type + "/" + resource->id;
}

Result<Attributes> TagsOf(ConstReader reader, std::string_view resource) {
  Attributes tags;
  std::string from = OrderedKey({resource});
  FW_TRY(reader.Scan(kTags, from, PrefixEnd(from), [&](std::string_view key, std::string_view value) {
    if (auto parts = store::SplitOrderedKey(key)) tags.emplace(std::move(parts->back()), value);
    return true;
  }));
  return tags;
}

}  // namespace

Status Tags::Put(std::string_view actor, std::string_view arn, const Attributes& tags) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(std::string resource, ResourceOf(tx, context_.arns, arn));
    FW_ASSIGN(Attributes all, TagsOf(tx, resource));
    for (const auto& [key, value] : tags) all.insert_or_assign(key, value);
    FW_TRY(CheckTags(all, context_.quotas));
    return PutTags(tx, resource, tags, context_.quotas);
  });
}

Status Tags::Remove(std::string_view actor, std::string_view arn, const std::vector<std::string>& keys) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(std::string resource, ResourceOf(tx, context_.arns, arn));
    for (const std::string& key : keys) FW_TRY(tx.Erase(kTags, OrderedKey({resource, key})));
    return {};
  });
}

Result<Attributes> Tags::List(std::string_view arn) const {
  return store::ReadFor<Attributes>(context_.store, [&](ConstReader reader) -> Result<Attributes> {
    FW_ASSIGN(std::string resource, ResourceOf(reader, context_.arns, arn));
    return TagsOf(reader, resource);
  });
}

}  // namespace fleetward::registry
