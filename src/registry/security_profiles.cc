#include "fleetward/registry/security_profiles.h"

#include <algorithm>
#include <set>

#include "fleetward/detect/config.h"
#include "fleetward/model/json.h"
#include "fleetward/policy/topic.h"
#include "fleetward/registry/names.h"
#include "profile_access.h"

namespace fleetward::registry {
namespace {

using Name = model::SecurityProfileName;
using Kind = model::ProfileTarget::Kind;

// All faults in one message: who repairs a profile wants to see them together.
Status Faults(const std::vector<std::string>& faults) {
  if (faults.empty()) return {};
  std::string text;
  for (const std::string& fault : faults) {
    if (!text.empty()) text += "; ";
    text += fault;
  }
  return Error(Code::kInvalidArgument, std::move(text));
}

// arn:PARTITION:sns:REGION:ACCOUNT:NAME.
bool IsTopicArn(std::string_view arn) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0;;) {
    std::size_t end = arn.find(':', from);
    parts.push_back(arn.substr(from, end == std::string_view::npos ? end : end - from));
    if (end == std::string_view::npos) break;
    from = end + 1;
  }
  bool empty = std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty(); });
  return parts.size() == 6 && !empty && parts[0] == "arn" && parts[2] == "sns";
}

std::vector<std::string> AlertTargetFaults(const ProfileContent& content) {
  std::vector<std::string> faults;
  if (!content.alert_targets) return faults;
  for (const auto& [type, target] : *content.alert_targets) {
    if (type != "SNS") faults.push_back("Alert target type " + type + " should be SNS");
    if (!IsTopicArn(target.alert_target_arn)) {
      faults.push_back("alertTargetArn " + target.alert_target_arn + " should be the ARN of an SNS topic");
    }
  }
  return faults;
}

std::vector<std::string> RetainFaults(const ProfileContent& content, const model::BehaviorRules& rules) {
  // The service names no quota. That of the values leaves room for every metric with every dimension, and bounds the
  // reads and the message.
  std::size_t given = (content.metrics_to_retain ? content.metrics_to_retain->size() : 0) +
                      (content.metrics_to_retain_v2 ? content.metrics_to_retain_v2->size() : 0);
  if (given > rules.max_value_elements) {
    return {"A security profile can have at most " + std::to_string(rules.max_value_elements) +
            " additional metrics to retain, not " + std::to_string(given)};
  }
  std::vector<std::string> faults;
  for (const model::MetricToRetain& metric : RetainedMetrics(content)) {
    const model::MetricInfo* builtin = model::FindBuiltinMetric(metric.metric);
    std::string shown = "Metric to retain " + metric.metric;
    if (!builtin && !rules.custom_metric(metric.metric)) {
      faults.push_back(shown + " is neither a built-in nor a custom metric");
    }
    if (!metric.dimension) continue;
    const std::string& dimension = metric.dimension->dimension_name.value();
    if (!builtin || !builtin->dimension) faults.push_back(shown + " cannot be used with a dimension");
    if (!rules.dimension_exists(dimension)) faults.push_back(shown + ": dimension " + dimension + " does not exist");
  }
  return faults;
}

// The server itself publishes there, unchecked by any policy: what only the service says on reserved topics must not come
// from a profile.
std::vector<std::string> ExportFaults(const ProfileContent& content) {
  std::vector<std::string> faults;
  if (!content.metrics_export) return faults;
  const std::string& topic = content.metrics_export->mqtt_topic;
  if (Status valid = policy::ValidateTopic(topic); !valid.ok()) {
    faults.push_back("metricsExportConfig.mqttTopic: " + valid.error().message());
  } else if (topic.starts_with('$') && !topic.starts_with("$aws/rules/")) {
    faults.push_back("metricsExportConfig.mqttTopic " + topic + " is reserved: of the topics that begin with $ only $aws/rules/ is possible");
  }
  if (Status role = CheckRoleArn(content.metrics_export->role_arn); !role.ok()) {
    faults.push_back("metricsExportConfig: " + role.error().message());
  }
  return faults;
}

Status CheckContent(ConstReader reader, const ProfileContent& content, const Quotas& quotas) {
  model::BehaviorRules rules = RulesFor(reader, quotas);
  std::vector<std::string> faults;
  if (content.behaviors) faults = model::ValidateBehaviors(*content.behaviors, rules);
  for (auto& fault : AlertTargetFaults(content)) faults.push_back(std::move(fault));
  for (auto& fault : RetainFaults(content, rules)) faults.push_back(std::move(fault));
  for (auto& fault : ExportFaults(content)) faults.push_back(std::move(fault));
  return Faults(faults);
}

/// The engine gets a profile, with its targets, in one record of the event log (store::FileLogOptions).
constexpr std::size_t kMaxProfileBytes = 1 << 20;
constexpr std::size_t kMaxTargets = 10'000;

Status CheckSize(const SecurityProfile& profile) {
  std::size_t size = model::ToJsonText(EngineForm(profile)).size();
  if (size <= kMaxProfileBytes) return {};
  return Error(Code::kInvalidArgument, "A security profile can have at most " + std::to_string(kMaxProfileBytes) +
                                           " bytes as JSON, not " + std::to_string(size));
}

Status CheckCombination(bool remove, bool given, std::string_view flag, std::string_view member) {
  if (!remove || !given) return {};
  return Error(Code::kInvalidArgument,
               std::string(flag) + " cannot be true when " + std::string(member) + " is given in the same call");
}

Status CheckCombinations(const SecurityProfileUpdate& update) {
  const ProfileContent& content = update.content;
  FW_TRY(CheckCombination(update.delete_behaviors, content.behaviors.has_value(), "deleteBehaviors", "behaviors"));
  FW_TRY(CheckCombination(update.delete_alert_targets, content.alert_targets.has_value(), "deleteAlertTargets",
                          "alertTargets"));
  FW_TRY(CheckCombination(update.delete_metrics_to_retain, content.metrics_to_retain.has_value(),
                          "deleteAdditionalMetricsToRetain", "additionalMetricsToRetain"));
  FW_TRY(CheckCombination(update.delete_metrics_to_retain, content.metrics_to_retain_v2.has_value(),
                          "deleteAdditionalMetricsToRetain", "additionalMetricsToRetainV2"));
  return CheckCombination(update.delete_metrics_export, content.metrics_export.has_value(),
                          "deleteMetricsExportConfig", "metricsExportConfig");
}

ProfileContent Updated(ProfileContent content, const SecurityProfileUpdate& update) {
  const ProfileContent& given = update.content;
  if (given.description) content.description = given.description;
  if (given.behaviors || update.delete_behaviors) content.behaviors = given.behaviors;
  if (given.alert_targets || update.delete_alert_targets) content.alert_targets = given.alert_targets;
  if (given.metrics_export || update.delete_metrics_export) content.metrics_export = given.metrics_export;
  // Both forms are one member: the one that is given replaces what either of them held.
  if (given.metrics_to_retain || given.metrics_to_retain_v2 || update.delete_metrics_to_retain) {
    content.metrics_to_retain = given.metrics_to_retain;
    content.metrics_to_retain_v2 = given.metrics_to_retain_v2;
  }
  return content;
}

Status CheckVersion(const SecurityProfile& profile, std::optional<std::int64_t> expected) {
  if (!expected || *expected == profile.version) return {};
  return Error(Code::kVersionConflict, "The version of security profile " + profile.name.value() + " is " +
                                           std::to_string(profile.version) + ", not the expected " +
                                           std::to_string(*expected));
}

Result<model::ProfileTarget> ParseTarget(const model::Arns& arns, std::string_view arn) {
  auto resource = arns.Parse(arn);
  auto target = resource ? ParseTargetKey(resource->type + "/" + resource->id) : std::nullopt;
  if (target) return std::move(*target);
  return Error(Code::kInvalidArgument,
               "The target must be the ARN of a thing group of this account and region, or " +
                   arns.Of("all", "things") + ", all/registered-things or all/unregistered-things, not " +
                   std::string(arn));
}

Status CheckTargetExists(ConstReader reader, const model::ProfileTarget& target) {
  if (target.kind != Kind::kThingGroup) return {};
  FW_ASSIGN(ThingGroup group, GetThingGroup(reader, target.group.value()));
  return {};
}

// The keys of a target and, for `recursive`, of what lies below it.
Result<std::set<std::string>> TargetKeys(ConstReader reader, const model::ProfileTarget& target, bool recursive) {
  std::set<std::string> keys = {TargetKey(target)};
  if (!recursive) return keys;
  if (target.kind == Kind::kAllThings) {
    keys.insert(TargetKey({Kind::kAllRegistered, {}}));
    keys.insert(TargetKey({Kind::kAllUnregistered, {}}));
  }
  if (target.kind != Kind::kThingGroup) return keys;
  std::vector<std::string> open = {target.group.value()};
  while (!open.empty()) {
    std::string group = std::move(open.back());
    open.pop_back();
    FW_ASSIGN(auto children, PartsUnder(reader, kGroupChildren, group));
    for (std::string& child : children) {
      if (keys.insert(GroupTarget(child)).second) open.push_back(std::move(child));
    }
  }
  return keys;
}

}  // namespace

Result<SecurityProfile> SecurityProfiles::Create(std::string_view actor, const NewSecurityProfile& request) {
  const std::string& name = request.name.value();
  return Apply<SecurityProfile>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<SecurityProfile> {
    FW_ASSIGN(auto present, FindSecurityProfile(tx, name));
    if (present) {
      if (present->content == request.content) return std::move(*present);
      return Error(Code::kAlreadyExists, "Security profile " + name + " already exists with different content")
          .WithField("resourceId", name)
          .WithField("resourceArn", Arn(request.name));
    }
    FW_TRY(CheckContent(tx, request.content, context_.quotas));
    Timestamp now = context_.clock.Now();
    SecurityProfile profile{request.name, request.content, 1, {}, now, now};
    FW_TRY(CheckSize(profile));
    profile.definition_versions = detect::NextDefinitionVersions({}, {}, EngineForm(profile));
    FW_TRY(tx.Put(kSecurityProfiles, name, Encode(profile)));
    FW_TRY(PutTags(tx, ProfileResource(name), request.tags, context_.quotas));
    changes.Add(SecurityProfileChanged{profile.name, std::nullopt, profile, {}});
    return profile;
  });
}

Result<SecurityProfile> SecurityProfiles::Describe(const Name& name) const {
  return store::ReadFor<SecurityProfile>(context_.store,
                                         [&](ConstReader reader) { return GetSecurityProfile(reader, name.value()); });
}

Result<Page<Name>> SecurityProfiles::List(const SecurityProfileFilter& filter, const PageRequest& page) const {
  if (!filter.dimension.empty() && !filter.metric.empty()) {
    return Error(Code::kInvalidArgument, "dimensionName and metricName cannot be given together");
  }
  return store::ReadFor<Page<Name>>(context_.store, [&](ConstReader reader) -> Result<Page<Name>> {
    if (!filter.dimension.empty()) FW_TRY(GetDimension(reader, filter.dimension));
    if (!filter.metric.empty() && !model::FindBuiltinMetric(filter.metric)) FW_TRY(GetCustomMetric(reader, filter.metric));
    return PageOf<Name>(reader, kSecurityProfiles, "", "", page,
                        [&](std::string_view key, std::string_view record) -> Result<std::optional<Name>> {
                          if (!filter.dimension.empty() || !filter.metric.empty()) {
                            FW_ASSIGN(SecurityProfile profile, DecodeSecurityProfile(key, record));
                            bool uses = filter.metric.empty() ? UsesDimension(profile, filter.dimension)
                                                              : UsesMetric(profile, filter.metric);
                            if (!uses) return std::optional<Name>();
                          }
                          return std::optional<Name>(Name(key));
                        });
  });
}

Result<SecurityProfile> SecurityProfiles::Update(std::string_view actor, const Name& name,
                                                 const SecurityProfileUpdate& update) {
  FW_TRY(CheckCombinations(update));
  return Apply<SecurityProfile>(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Result<SecurityProfile> {
    FW_ASSIGN(SecurityProfile before, GetSecurityProfile(tx, name.value()));
    FW_TRY(CheckVersion(before, update.expected_version));
    SecurityProfile now = before;
    now.content = Updated(before.content, update);
    FW_TRY(CheckContent(tx, now.content, context_.quotas));
    FW_TRY(CheckSize(now));
    ++now.version;
    now.modified = context_.clock.Now();
    now.definition_versions =
        detect::NextDefinitionVersions(EngineForm(before), before.definition_versions, EngineForm(now));
    FW_TRY(tx.Put(kSecurityProfiles, name.value(), Encode(now)));
    FW_ASSIGN(auto targets, TargetsOf(tx, name.value()));
    changes.Add(SecurityProfileChanged{name, std::move(before), now, std::move(targets)});
    return now;
  });
}

Status SecurityProfiles::Delete(std::string_view actor, const Name& name,
                                std::optional<std::int64_t> expected_version) {
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(auto profile, FindSecurityProfile(tx, name.value()));
    if (!profile) return {};
    FW_TRY(CheckVersion(*profile, expected_version));
    FW_ASSIGN(auto targets, PartsUnder(tx, kProfileTargets, name.value()));
    for (const std::string& target : targets) {
      FW_TRY(EraseLink(tx, kProfileTargets, kTargetProfiles, name.value(), target));
    }
    FW_TRY(tx.Erase(kSecurityProfiles, name.value()));
    FW_TRY(EraseTags(tx, ProfileResource(name.value())));
    changes.Add(SecurityProfileChanged{name, std::move(profile), std::nullopt, {}});
    return {};
  });
}

Status SecurityProfiles::Attach(std::string_view actor, const Name& name, std::string_view target_arn) {
  FW_ASSIGN(model::ProfileTarget target, ParseTarget(context_.arns, target_arn));
  std::string key = TargetKey(target);
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(SecurityProfile profile, GetSecurityProfile(tx, name.value()));
    FW_TRY(CheckTargetExists(tx, target));
    FW_ASSIGN(auto present, PartsUnder(tx, kTargetProfiles, key));
    if (std::find(present.begin(), present.end(), name.value()) != present.end()) return {};
    if (present.size() >= context_.quotas.profiles_per_target) {
      return Error(Code::kLimitExceeded, "The target " + std::string(target_arn) + " already has " +
                                             std::to_string(present.size()) +
                                             " security profiles, the most a target may have");
    }
    FW_TRY(PutLink(tx, kProfileTargets, kTargetProfiles, name.value(), key));
    FW_ASSIGN(auto targets, TargetsOf(tx, name.value()));
    if (targets.size() > kMaxTargets) {
      return Error(Code::kLimitExceeded, "The security profile " + name.value() + " already has " +
                                             std::to_string(kMaxTargets) + " targets, the most a profile may have");
    }
    changes.Add(SecurityProfileChanged{name, profile, profile, std::move(targets)});
    return {};
  });
}

Status SecurityProfiles::Detach(std::string_view actor, const Name& name, std::string_view target_arn) {
  FW_ASSIGN(model::ProfileTarget target, ParseTarget(context_.arns, target_arn));
  std::string key = TargetKey(target);
  return ApplyStatus(context_, actor, [&](Transaction& tx, ChangeSet& changes) -> Status {
    FW_ASSIGN(SecurityProfile profile, GetSecurityProfile(tx, name.value()));
    FW_TRY(CheckTargetExists(tx, target));
    FW_ASSIGN(bool attached, HasLink(tx, kProfileTargets, name.value(), key));
    if (!attached) return {};
    FW_TRY(EraseLink(tx, kProfileTargets, kTargetProfiles, name.value(), key));
    FW_ASSIGN(auto targets, TargetsOf(tx, name.value()));
    changes.Add(SecurityProfileChanged{name, profile, profile, std::move(targets)});
    return {};
  });
}

Result<Page<model::ProfileTarget>> SecurityProfiles::ListTargets(const Name& name, const PageRequest& request) const {
  using Target = model::ProfileTarget;
  return store::ReadFor<Page<Target>>(context_.store, [&](ConstReader reader) -> Result<Page<Target>> {
    FW_ASSIGN(SecurityProfile profile, GetSecurityProfile(reader, name.value()));
    std::string from = OrderedKey({name.value()});
    return PageOf<Target>(reader, kProfileTargets, from, PrefixEnd(from), request,
                          [](std::string_view key, std::string_view) -> Result<std::optional<Target>> {
                            auto parts = store::SplitOrderedKey(key);
                            if (!parts) return Error(Code::kCorrupt, "a stored link is damaged");
                            return ParseTargetKey(parts->back());
                          });
  });
}

Result<Page<ProfileMapping>> SecurityProfiles::ListForTarget(std::string_view target_arn, bool recursive,
                                                             const PageRequest& request) const {
  FW_ASSIGN(model::ProfileTarget target, ParseTarget(context_.arns, target_arn));
  return store::ReadFor<Page<ProfileMapping>>(context_.store, [&](ConstReader reader) -> Result<Page<ProfileMapping>> {
    FW_TRY(CheckTargetExists(reader, target));
    FW_ASSIGN(auto keys, TargetKeys(reader, target, recursive));
    Page<ProfileMapping> page;
    std::string last;
    for (const std::string& key : keys) {
      FW_ASSIGN(auto profiles, PartsUnder(reader, kTargetProfiles, key));
      for (const std::string& profile : profiles) {
        std::string position = OrderedKey({key, profile});
        if (!request.after.empty() && position <= request.after) continue;
        if (page.items.size() == request.limit) {
          page.next = last;
          return page;
        }
        page.items.push_back({Name(profile), ParseTargetKey(key).value_or(target)});
        last = std::move(position);
      }
    }
    return page;
  });
}

Result<std::vector<std::string>> SecurityProfiles::Validate(std::span<const model::Behavior> behaviors) const {
  return store::ReadFor<std::vector<std::string>>(
      context_.store, [&](ConstReader reader) -> Result<std::vector<std::string>> {
        return model::ValidateBehaviors(behaviors, RulesFor(reader, context_.quotas));
      });
}

Result<std::vector<SecurityProfile>> SecurityProfiles::Covering(bool registered,
                                                                std::span<const model::ThingGroupName> groups) const {
  std::vector<std::string> keys = {TargetKey({Kind::kAllThings, {}}),
                                   TargetKey({registered ? Kind::kAllRegistered : Kind::kAllUnregistered, {}})};
  for (const model::ThingGroupName& group : groups) keys.push_back(GroupTarget(group.value()));
  using Profiles = std::vector<SecurityProfile>;
  return store::ReadFor<Profiles>(context_.store, [&](ConstReader reader) -> Result<Profiles> {
    std::set<std::string> names;
    for (const std::string& key : keys) {
      FW_ASSIGN(auto found, PartsUnder(reader, kTargetProfiles, key));
      names.insert(found.begin(), found.end());
    }
    Profiles profiles;
    for (const std::string& name : names) {
      FW_ASSIGN(SecurityProfile profile, GetSecurityProfile(reader, name));
      profiles.push_back(std::move(profile));
    }
    return profiles;
  });
}

Result<std::vector<ProfileWithTargets>> SecurityProfiles::All() const {
  using Profiles = std::vector<ProfileWithTargets>;
  return store::ReadFor<Profiles>(context_.store, [&](ConstReader reader) -> Result<Profiles> {
    Profiles profiles;
    Status fault;
    FW_TRY(reader.Scan(kSecurityProfiles, "", "", [&](std::string_view key, std::string_view record) {
      auto profile = DecodeSecurityProfile(key, record);
      if (!profile.ok()) {
        fault = profile.error();
        return false;
      }
      profiles.push_back({std::move(*profile), {}});
      return true;
    }));
    FW_TRY(fault);
    for (ProfileWithTargets& each : profiles) {
      FW_ASSIGN(each.targets, TargetsOf(reader, each.profile.name.value()));
    }
    return profiles;
  });
}

std::string SecurityProfiles::TargetArn(const model::ProfileTarget& target) const {
  std::string key = TargetKey(target);
  std::size_t slash = key.find('/');
  return context_.arns.Of(key.substr(0, slash), key.substr(slash + 1));
}

}  // namespace fleetward::registry
