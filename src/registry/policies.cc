#include "fleetward/registry/policies.h"

#include <set>

#include "access.h"
#include "group_access.h"
#include "effective.h"
#include "fleetward/policy/document.h"

namespace fleetward::registry {
namespace {

using PolicyName = model::PolicyName;

std::string TimeKey(const Policy& policy) {
  return BigEndian64(static_cast<std::uint64_t>(ToMillis(policy.created))) + policy.name.value();
}

// Version ids are decimal numbers from 1.
std::optional<std::uint32_t> ParseVersionId(std::string_view id) {
  if (id.empty() || id.size() > 9 || id[0] == '0') return std::nullopt;
  std::uint32_t number = 0;
  for (char c : id) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number;
}

Result<PolicyVersion> GetVersionOf(ConstReader reader, const Policy& policy, std::string_view id) {
  auto number = ParseVersionId(id);
  if (number) {
    FW_ASSIGN(auto version, FindPolicyVersion(reader, policy.name.value(), *number));
    if (version) return std::move(*version);
  }
  return NotFound("policy version", policy.name.value() + ":" + std::string(id));
}

Result<PolicyVersion> DefaultOf(ConstReader reader, const Policy& policy) {
  FW_ASSIGN(auto version, FindPolicyVersion(reader, policy.name.value(), policy.default_version));
  if (!version) return Error(Code::kCorrupt, "policy " + policy.name.value() + " has lost its default version");
  return std::move(*version);
}

Status PutVersion(Transaction& tx, const Policy& policy, const PolicyVersion& version) {
  return tx.Put(kPolicyVersions, OrderedKey({policy.name.value(), BigEndian32(version.number)}), Encode(version));
}

Result<std::vector<PolicyVersion>> VersionsOf(ConstReader reader, const std::string& name) {
  std::vector<PolicyVersion> versions;
  FW_ASSIGN(auto numbers, PartsUnder(reader, kPolicyVersions, name));
  for (const std::string& bytes : numbers) {
    auto number = FromBigEndian32(bytes);
    if (!number) return Error(Code::kCorrupt, "a stored policy version is damaged");
    FW_ASSIGN(auto version, FindPolicyVersion(reader, name, *number));
    if (version) versions.push_back(std::move(*version));
  }
  return versions;
}

}  // namespace

Result<PolicyAndVersion> Policies::Create(std::string_view actor, const PolicyName& name, std::string_view document,
                                          const Attributes& tags) {
  FW_TRY(policy::ValidatePolicyDocument(document, context_.quotas.policy_characters));
  return Apply<PolicyAndVersion>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<PolicyAndVersion> {
    FW_ASSIGN(auto present, FindPolicy(tx, name.value()));
    if (present) {
      FW_ASSIGN(PolicyVersion version, DefaultOf(tx, *present));
      if (version.document == document) return PolicyAndVersion{std::move(*present), std::move(version)};
      return Error(Code::kAlreadyExists, "Policy cannot be created - name already exists (name=" + name.value() + ")")
          .WithField("resourceId", name.value())
          .WithField("resourceArn", context_.arns.Policy(name.value()));
    }
    Timestamp now = context_.clock.Now();
    Policy policy{name, 1, 2, Id128::Random(), now, now};
    PolicyVersion version{1, std::string(document), now};
    FW_TRY(tx.Put(kPolicies, name.value(), Encode(policy)));
    FW_TRY(tx.Put(kPoliciesByTime, TimeKey(policy), ""));
    FW_TRY(PutVersion(tx, policy, version));
    FW_TRY(PutTags(tx, "policy/" + name.value(), tags, context_.quotas));
    changes.Add(PolicyChanged{name, false});
    return PolicyAndVersion{std::move(policy), std::move(version)};
  });
}

Result<PolicyAndVersion> Policies::Get(const PolicyName& name) const {
  return store::ReadFor<PolicyAndVersion>(context_.store, [&](ConstReader reader) -> Result<PolicyAndVersion> {
    FW_ASSIGN(Policy policy, GetPolicy(reader, name.value()));
    FW_ASSIGN(PolicyVersion version, DefaultOf(reader, policy));
    return PolicyAndVersion{std::move(policy), std::move(version)};
  });
}

Result<Page<PolicyName>> Policies::List(const PageRequest& page) const {
  return store::ReadFor<Page<PolicyName>>(context_.store, [&](ConstReader reader) -> Result<Page<PolicyName>> {
    return PageOf<PolicyName>(reader, kPoliciesByTime, "", "", page,
                              [](std::string_view key, std::string_view) -> Result<std::optional<PolicyName>> {
                                return std::optional<PolicyName>(
                                    PolicyName(key.substr(std::min<std::size_t>(8, key.size()))));
                              });
  });
}

Status Policies::Delete(std::string_view actor, const PolicyName& name) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Policy policy, GetPolicy(tx, name.value()));
    FW_ASSIGN(bool attached, AnyUnder(tx, kPolicyTargets, name.value()));
    if (attached) {
      return Error(Code::kDeleteConflict, "The policy cannot be deleted as the policy is attached to one or more "
                                          "principals (name=" + name.value() + ")");
    }
    FW_ASSIGN(auto versions, VersionsOf(tx, name.value()));
    if (versions.size() > 1) {
      return Error(Code::kDeleteConflict, "Cannot delete the policy because it has one or more policy versions "
                                          "attached to it (name=" + name.value() + ")");
    }
    for (const PolicyVersion& version : versions) {
      FW_TRY(tx.Erase(kPolicyVersions, OrderedKey({name.value(), BigEndian32(version.number)})));
    }
    FW_TRY(tx.Erase(kPolicies, name.value()));
    FW_TRY(tx.Erase(kPoliciesByTime, TimeKey(policy)));
    FW_TRY(EraseTags(tx, "policy/" + name.value()));
    changes.Add(PolicyChanged{name, true});
    return {};
  });
}

Result<PolicyAndVersion> Policies::CreateVersion(std::string_view actor, const PolicyName& name,
                                                 std::string_view document, bool set_default) {
  FW_TRY(policy::ValidatePolicyDocument(document, context_.quotas.policy_characters));
  auto created = Apply<PolicyAndVersion>(
      context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<PolicyAndVersion> {
        FW_ASSIGN(Policy policy, GetPolicy(tx, name.value()));
        FW_ASSIGN(auto versions, VersionsOf(tx, name.value()));
        if (versions.size() >= context_.quotas.policy_versions) {
          return Error(Code::kVersionsLimitExceeded, "The policy " + name.value() +
                                                         " already has the maximum number of versions (" +
                                                         std::to_string(context_.quotas.policy_versions) + ")");
        }
        PolicyVersion version{policy.next_version++, std::string(document), context_.clock.Now()};
        if (set_default) policy.default_version = version.number;
        policy.modified = version.created;
        policy.generation = Id128::Random();
        FW_TRY(PutVersion(tx, policy, version));
        FW_TRY(tx.Put(kPolicies, name.value(), Encode(policy)));
        if (set_default) changes.Add(PolicyChanged{name, false});
        return PolicyAndVersion{std::move(policy), std::move(version)};
      });
  if (created.ok() && set_default) context_.enforcement.Settle();
  return created;
}

Result<PolicyAndVersion> Policies::GetVersion(const PolicyName& name, std::string_view version_id) const {
  return store::ReadFor<PolicyAndVersion>(context_.store, [&](ConstReader reader) -> Result<PolicyAndVersion> {
    FW_ASSIGN(Policy policy, GetPolicy(reader, name.value()));
    FW_ASSIGN(PolicyVersion version, GetVersionOf(reader, policy, version_id));
    return PolicyAndVersion{std::move(policy), std::move(version)};
  });
}

Result<std::vector<PolicyAndVersion>> Policies::ListVersions(const PolicyName& name) const {
  return store::ReadFor<std::vector<PolicyAndVersion>>(
      context_.store, [&](ConstReader reader) -> Result<std::vector<PolicyAndVersion>> {
        FW_ASSIGN(Policy policy, GetPolicy(reader, name.value()));
        FW_ASSIGN(auto versions, VersionsOf(reader, name.value()));
        std::vector<PolicyAndVersion> listed;
        for (auto it = versions.rbegin(); it != versions.rend(); ++it) listed.push_back({policy, std::move(*it)});
        return listed;
      });
}

Status Policies::DeleteVersion(std::string_view actor, const PolicyName& name, std::string_view version_id) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet&) -> Status {
    FW_ASSIGN(Policy policy, GetPolicy(tx, name.value()));
    FW_ASSIGN(PolicyVersion version, GetVersionOf(tx, policy, version_id));
    if (version.number == policy.default_version) {
      return Error(Code::kDeleteConflict, "Cannot delete the default version of a policy (name=" + name.value() + ")");
    }
    return tx.Erase(kPolicyVersions, OrderedKey({name.value(), BigEndian32(version.number)}));
  });
}

Status Policies::SetDefaultVersion(std::string_view actor, const PolicyName& name, std::string_view version_id) {
  Status set = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Policy policy, GetPolicy(tx, name.value()));
    FW_ASSIGN(PolicyVersion version, GetVersionOf(tx, policy, version_id));
    if (policy.default_version == version.number) return {};
    policy.default_version = version.number;
    policy.modified = context_.clock.Now();
    policy.generation = Id128::Random();
    FW_TRY(tx.Put(kPolicies, name.value(), Encode(policy)));
    changes.Add(PolicyChanged{name, false});
    return {};
  });
  if (set.ok()) context_.enforcement.Settle();
  return set;
}

Status Policies::Attach(std::string_view actor, const PolicyName& name, std::string_view target_arn) {
  FW_ASSIGN(PolicyTarget target, ParsePolicyTarget(context_.arns, target_arn));
  Status attached = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(Policy policy, GetPolicy(tx, name.value()));
    FW_TRY(CheckTargetExists(tx, target));
    if (target.type == "thinggroup") FW_TRY(RefuseDynamic(tx, target.id, "it carries no policies"));
    FW_ASSIGN(auto present, PartsUnder(tx, kTargetPolicies, target.key));
    if (std::find(present.begin(), present.end(), name.value()) != present.end()) return {};
    std::size_t most = target.type == "cert" ? context_.quotas.policies_per_principal
                                             : context_.quotas.policies_per_group;
    if (present.size() >= most) {
      return Error(Code::kLimitExceeded, "The target already has the maximum number of policies (" +
                                             std::to_string(most) + "): " + std::string(target_arn));
    }
    FW_TRY(PutLink(tx, kPolicyTargets, kTargetPolicies, name.value(), target.key));
    changes.Add(PolicyAttachmentChanged{policy.name, target.key, true});
    return {};
  });
  if (attached.ok()) context_.enforcement.Settle();
  return attached;
}

Status Policies::Detach(std::string_view actor, const PolicyName& name, std::string_view target_arn) {
  FW_ASSIGN(PolicyTarget target, ParsePolicyTarget(context_.arns, target_arn));
  Status detached = ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(bool present, HasLink(tx, kPolicyTargets, name.value(), target.key));
    if (!present) return {};
    FW_TRY(EraseLink(tx, kPolicyTargets, kTargetPolicies, name.value(), target.key));
    changes.Add(PolicyAttachmentChanged{name, target.key, false});
    return {};
  });
  if (detached.ok()) context_.enforcement.Settle();
  return detached;
}

Result<Page<PolicyName>> Policies::ListAttached(std::string_view target_arn, bool recursive,
                                                const PageRequest& page) const {
  FW_ASSIGN(PolicyTarget target, ParsePolicyTarget(context_.arns, target_arn));
  return store::ReadFor<Page<PolicyName>>(context_.store, [&](ConstReader reader) -> Result<Page<PolicyName>> {
    FW_TRY(CheckTargetExists(reader, target));
    std::set<std::string> names;
    if (recursive && target.type == "thinggroup") {
      FW_TRY(AddPoliciesOfGroup(reader, target.id, names));
    } else {
      FW_TRY(AddPoliciesOfTarget(reader, target.key, names));
    }
    // At most a handful: sorted here, so that both directions and the recursive list page alike.
    Page<PolicyName> result;
    std::vector<std::string> sorted(names.begin(), names.end());
    if (page.descending) std::reverse(sorted.begin(), sorted.end());
    for (std::string& name : sorted) {
      bool before = page.descending ? name >= page.after : name <= page.after;
      if (!page.after.empty() && before) continue;
      if (result.items.size() == page.limit) {
        result.next = result.items.back().value();
        break;
      }
      result.items.emplace_back(std::move(name));
    }
    return result;
  });
}

Result<Page<std::string>> Policies::ListTargets(const PolicyName& name, bool certificates_only,
                                                const PageRequest& page) const {
  return store::ReadFor<Page<std::string>>(context_.store, [&](ConstReader reader) -> Result<Page<std::string>> {
    FW_ASSIGN(Policy policy, GetPolicy(reader, name.value()));
    std::string from = OrderedKey({name.value()}), until = PrefixEnd(from);
    if (certificates_only) {
      // "cert/" sorts before "thinggroup/": the part without its end mark is a prefix of just those keys.
      from = OrderedKey({name.value(), "cert/"});
      from.resize(from.size() - 2);
      until = PrefixEnd(from);
    }
    return PageOf<std::string>(reader, kPolicyTargets, from, until, page,
                               [&](std::string_view key, std::string_view) -> Result<std::optional<std::string>> {
                                 auto parts = store::SplitOrderedKey(key);
                                 std::size_t slash = parts ? parts->back().find('/') : std::string::npos;
                                 if (slash == std::string::npos) return std::optional<std::string>();
                                 const std::string& target = parts->back();
                                 return std::optional<std::string>(
                                     context_.arns.Of(target.substr(0, slash), target.substr(slash + 1)));
                               });
  });
}

Result<std::vector<EffectivePolicy>> Policies::Effective(std::string_view principal, const std::string& thing) const {
  std::optional<PolicyTarget> target;
  if (!principal.empty()) {
    FW_ASSIGN(target, ParsePolicyTarget(context_.arns, principal));
  }
  return store::ReadFor<std::vector<EffectivePolicy>>(
      context_.store, [&](ConstReader reader) -> Result<std::vector<EffectivePolicy>> {
        std::set<std::string> names;
        if (target) {
          FW_TRY(CheckTargetExists(reader, *target));
          FW_TRY(target->type == "cert" ? AddPoliciesOfTarget(reader, target->key, names)
                                        : AddPoliciesOfGroup(reader, target->id, names));
        }
        if (!thing.empty()) {
          FW_ASSIGN(Thing found, GetThing(reader, thing));
          FW_TRY(AddPoliciesOfThing(reader, thing, names));
        }
        std::vector<EffectivePolicy> effective;
        for (const std::string& name : names) {
          FW_ASSIGN(Policy policy, GetPolicy(reader, name));
          FW_ASSIGN(PolicyVersion version, DefaultOf(reader, policy));
          effective.push_back({policy.name, std::move(version.document)});
        }
        return effective;
      });
}

}  // namespace fleetward::registry
