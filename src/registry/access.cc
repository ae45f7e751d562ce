#include "access.h"

#include <memory>

#include "lookup.h"

namespace fleetward::registry {
namespace {

constexpr std::size_t kMaxAncestors = 64;  // far above any configured depth

}  // namespace

Error NotFound(std::string_view kind, std::string_view name) {
  return Error(Code::kNotFound,
               "The specified resource does not exist: " + std::string(kind) + " " + std::string(name));
}

Result<std::optional<Thing>> FindThing(ConstReader reader, std::string_view name) {
  return Find<Thing>(reader, kThings, name, [&](std::string_view record) { return DecodeThing(name, record); });
}
Result<std::optional<ThingType>> FindThingType(ConstReader reader, std::string_view name) {
  return Find<ThingType>(reader, kThingTypes, name,
                         [&](std::string_view record) { return DecodeThingType(name, record); });
}
Result<std::optional<ThingGroup>> FindThingGroup(ConstReader reader, std::string_view name) {
  return Find<ThingGroup>(reader, kThingGroups, name,
                          [&](std::string_view record) { return DecodeThingGroup(name, record); });
}
Result<std::optional<Certificate>> FindCertificate(ConstReader reader, std::string_view id) {
  FW_ASSIGN(auto certificate, Find<Certificate>(reader, kCertificates, id, [&](std::string_view record) {
              return DecodeCertificate(id, record);
            }));
  if (!certificate) return certificate;
  FW_ASSIGN(auto der, reader.Get(kCertificateBodies, id));
  if (!der) return Error(Code::kCorrupt, "a stored certificate has lost its body");
  certificate->der = std::move(*der);
  return certificate;
}
Result<std::optional<Policy>> FindPolicy(ConstReader reader, std::string_view name) {
  return Find<Policy>(reader, kPolicies, name, [&](std::string_view record) { return DecodePolicy(name, record); });
}
Result<std::optional<PolicyVersion>> FindPolicyVersion(ConstReader reader, std::string_view name,
                                                       std::uint32_t number) {
  return Find<PolicyVersion>(reader, kPolicyVersions, OrderedKey({name, BigEndian32(number)}),
                             [&](std::string_view record) { return DecodePolicyVersion(number, record); });
}

Result<Thing> GetThing(ConstReader reader, std::string_view name) {
  return OrNotFound(FindThing(reader, name), "thing", name);
}
Result<ThingType> GetThingType(ConstReader reader, std::string_view name) {
  return OrNotFound(FindThingType(reader, name), "thing type", name);
}
Result<ThingGroup> GetThingGroup(ConstReader reader, std::string_view name) {
  return OrNotFound(FindThingGroup(reader, name), "thing group", name);
}
Result<Certificate> GetCertificate(ConstReader reader, std::string_view id) {
  return OrNotFound(FindCertificate(reader, id), "certificate", id);
}
Result<Policy> GetPolicy(ConstReader reader, std::string_view name) {
  return OrNotFound(FindPolicy(reader, name), "policy", name);
}

Result<std::vector<std::string>> PartsUnder(ConstReader reader, const Table& table, std::string_view prefix) {
  std::vector<std::string> parts;
  std::string from = OrderedKey({prefix});
  FW_TRY(reader.Scan(table, from, PrefixEnd(from), [&](std::string_view key, std::string_view) {
    if (auto split = store::SplitOrderedKey(key)) parts.push_back(std::move(split->back()));
    return true;
  }));
  return parts;
}

Result<std::vector<std::string>> FirstPartsUnder(ConstReader reader, const Table& table, std::string_view prefix,
                                                 std::size_t most) {
  std::vector<std::string> parts;
  std::string from = OrderedKey({prefix});
  FW_TRY(reader.Scan(table, from, PrefixEnd(from), [&](std::string_view key, std::string_view) {
    if (auto split = store::SplitOrderedKey(key)) parts.push_back(std::move(split->back()));
    return parts.size() < most;
  }));
  return parts;
}

Result<bool> AnyUnder(ConstReader reader, const Table& table, std::string_view prefix) {
  bool any = false;
  std::string from = OrderedKey({prefix});
  FW_TRY(reader.Scan(table, from, PrefixEnd(from), [&](auto, auto) {
    any = true;
    return false;
  }));
  return any;
}

Result<std::vector<std::string>> AncestorsOf(ConstReader reader, std::string_view group) {
  std::vector<std::string> ancestors;
  FW_ASSIGN(auto current, FindThingGroup(reader, group));
  while (current && !current->parent.empty() && ancestors.size() < kMaxAncestors) {
    ancestors.push_back(current->parent);
    FW_ASSIGN(current, FindThingGroup(reader, ancestors.back()));
  }
  return ancestors;
}

Status PutLink(Transaction& tx, const Table& forward, const Table& backward, std::string_view left,
               std::string_view right) {
  FW_TRY(tx.Put(forward, OrderedKey({left, right}), ""));
  return tx.Put(backward, OrderedKey({right, left}), "");
}

Status EraseLink(Transaction& tx, const Table& forward, const Table& backward, std::string_view left,
                 std::string_view right) {
  FW_TRY(tx.Erase(forward, OrderedKey({left, right})));
  return tx.Erase(backward, OrderedKey({right, left}));
}

Result<bool> HasLink(ConstReader reader, const Table& forward, std::string_view left, std::string_view right) {
  FW_ASSIGN(auto found, reader.Get(forward, OrderedKey({left, right})));
  return found.has_value();
}

void internal::TellAfterCommit(const Context& context, Transaction& tx, ChangeSet changes) {
  auto kept = std::make_shared<ChangeSet>(std::move(changes));
  tx.AfterCommit([&hub = context.changes, kept] { hub.Tell(kept->changes()); });
}

Status CheckAttributes(const Attributes& attributes, std::size_t max_count, const Quotas& quotas) {
  if (attributes.size() > max_count) {
    return Error(Code::kInvalidArgument, "There are " + std::to_string(attributes.size()) +
                                             " attributes, which is more than the " + std::to_string(max_count) +
                                             " allowed here");
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes) bytes += name.size() + value.size();
  if (bytes > quotas.attribute_bytes) {
    return Error(Code::kInvalidArgument, "The attributes are larger than " + std::to_string(quotas.attribute_bytes) +
                                             " bytes in all");
  }
  return {};
}

Attributes UpdatedAttributes(const Attributes& present, const Attributes& update, bool merge) {
  Attributes updated = merge ? present : Attributes{};
  for (const auto& [name, value] : update) {
    if (merge && value.empty()) {
      updated.erase(name);
    } else {
      updated.insert_or_assign(name, value);
    }
  }
  return updated;
}

Status CheckCount(ConstReader reader, const Table& table, std::size_t most, std::string_view what) {
  std::size_t count = 0;
  FW_TRY(reader.Scan(table, "", "", [&](auto, auto) { return ++count < most; }));
  if (count < most) return {};
  return Error(Code::kLimitExceeded, "There are already " + std::to_string(most) + " " + std::string(what) +
                                         ", the most an account may have");
}

Status CheckTags(const Attributes& tags, const Quotas& quotas) {
  for (const auto& [key, value] : tags) {
    bool reserved = key.size() >= 4 && (key[0] == 'a' || key[0] == 'A') && (key[1] == 'w' || key[1] == 'W') &&
                    (key[2] == 's' || key[2] == 'S') && key[3] == ':';
    if (reserved) return Error(Code::kInvalidArgument, "The tag key " + key + " begins with aws:, which is reserved");
  }
  if (tags.size() <= quotas.tags_per_resource) return {};
  return Error(Code::kLimitExceeded, "A resource may carry at most " + std::to_string(quotas.tags_per_resource) +
                                         " tags, not " + std::to_string(tags.size()));
}

Status PutTags(Transaction& tx, std::string_view resource, const Attributes& tags, const Quotas& quotas) {
  FW_TRY(CheckTags(tags, quotas));
  for (const auto& [key, value] : tags) FW_TRY(tx.Put(kTags, OrderedKey({resource, key}), value));
  return {};
}

Status EraseTags(Transaction& tx, std::string_view resource) {
  FW_ASSIGN(auto keys, PartsUnder(tx, kTags, resource));
  for (const std::string& key : keys) FW_TRY(tx.Erase(kTags, OrderedKey({resource, key})));
  return {};
}

Status DetachAllPolicies(Transaction& tx, ChangeSet& changes, std::string_view target) {
  FW_ASSIGN(auto policies, PartsUnder(tx, kTargetPolicies, target));
  for (const std::string& policy : policies) {
    FW_TRY(EraseLink(tx, kPolicyTargets, kTargetPolicies, policy, target));
    changes.Add(PolicyAttachmentChanged{model::PolicyName(policy), std::string(target), false});
  }
  return {};
}

Result<std::string> CertificateIdOf(const model::Arns& arns, std::string_view principal) {
  auto resource = arns.Parse(principal);
  if (!resource || resource->type != "cert" || !policy::FingerprintOf(resource->id)) {
    return Error(Code::kInvalidArgument, "The principal must be the ARN of a certificate of this account and region: " +
                                             std::string(principal));
  }
  return resource->id;
}

}  // namespace fleetward::registry
