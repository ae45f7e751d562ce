#include "profile_access.h"

#include <algorithm>
#include <set>

#include "lookup.h"

namespace fleetward::registry {
namespace {

using Kind = model::ProfileTarget::Kind;

constexpr std::string_view kAllThings = "all/things";
constexpr std::string_view kAllRegistered = "all/registered-things";
constexpr std::string_view kAllUnregistered = "all/unregistered-things";
constexpr std::string_view kGroupPrefix = "thinggroup/";

}  // namespace

Result<std::optional<SecurityProfile>> FindSecurityProfile(ConstReader reader, std::string_view name) {
  return Find<SecurityProfile>(reader, kSecurityProfiles, name,
               [&](std::string_view row) { return DecodeSecurityProfile(name, row); });
}
Result<std::optional<CustomMetric>> FindCustomMetric(ConstReader reader, std::string_view name) {
  return Find<CustomMetric>(reader, kCustomMetrics, name,
               [&](std::string_view row) { return DecodeCustomMetric(name, row); });
}
Result<std::optional<Dimension>> FindDimension(ConstReader reader, std::string_view name) {
  return Find<Dimension>(reader, kDimensions, name,
               [&](std::string_view row) { return DecodeDimension(name, row); });
}

Result<std::vector<Dimension>> AllDimensions(ConstReader reader) {
  std::vector<Dimension> all;
  Status fault;
  FW_TRY(reader.Scan(kDimensions, "", "", [&](std::string_view key, std::string_view record) {
    auto dimension = DecodeDimension(key, record);
    if (!dimension.ok()) {
      fault = dimension.error();
      return false;
    }
    all.push_back(std::move(*dimension));
    return true;
  }));
  FW_TRY(fault);
  return all;
}

Result<SecurityProfile> GetSecurityProfile(ConstReader reader, std::string_view name) {
  return OrNotFound(FindSecurityProfile(reader, name), "security profile", name);
}
Result<CustomMetric> GetCustomMetric(ConstReader reader, std::string_view name) {
  return OrNotFound(FindCustomMetric(reader, name), "custom metric", name);
}
Result<Dimension> GetDimension(ConstReader reader, std::string_view name) {
  return OrNotFound(FindDimension(reader, name), "dimension", name);
}

std::string TargetKey(const model::ProfileTarget& target) {
  switch (target.kind) {
    case Kind::kAllThings: return std::string(kAllThings);
    case Kind::kAllRegistered: return std::string(kAllRegistered);
    case Kind::kAllUnregistered: return std::string(kAllUnregistered);
    case Kind::kThingGroup: break;
  }
  return GroupTarget(target.group.value());
}

std::optional<model::ProfileTarget> ParseTargetKey(std::string_view key) {
  if (key == kAllThings) return model::ProfileTarget{Kind::kAllThings, {}};
  if (key == kAllRegistered) return model::ProfileTarget{Kind::kAllRegistered, {}};
  if (key == kAllUnregistered) return model::ProfileTarget{Kind::kAllUnregistered, {}};
  if (!key.starts_with(kGroupPrefix) || key.size() == kGroupPrefix.size()) return std::nullopt;
  return model::ProfileTarget{Kind::kThingGroup, model::ThingGroupName(key.substr(kGroupPrefix.size()))};
}

Result<std::vector<model::ProfileTarget>> TargetsOf(ConstReader reader, std::string_view profile) {
  std::vector<model::ProfileTarget> targets;
  FW_ASSIGN(auto keys, PartsUnder(reader, kProfileTargets, profile));
  for (const std::string& key : keys) {
    if (auto target = ParseTargetKey(key)) targets.push_back(std::move(*target));
  }
  return targets;
}

Status DetachAllProfiles(Transaction& tx, ChangeSet& changes, std::string_view target_key) {
  FW_ASSIGN(auto names, PartsUnder(tx, kTargetProfiles, target_key));
  for (const std::string& name : names) {
    FW_TRY(EraseLink(tx, kProfileTargets, kTargetProfiles, name, target_key));
    FW_ASSIGN(SecurityProfile profile, GetSecurityProfile(tx, name));
    FW_ASSIGN(auto targets, TargetsOf(tx, name));
    changes.Add(SecurityProfileChanged{profile.name, profile, profile, std::move(targets)});
  }
  return {};
}

bool UsesMetric(const SecurityProfile& profile, std::string_view metric) {
  if (profile.content.behaviors) {
    for (const model::Behavior& behavior : *profile.content.behaviors) {
      if (behavior.metric && *behavior.metric == metric) return true;
    }
  }
  auto retained = RetainedMetrics(profile.content);
  return std::any_of(retained.begin(), retained.end(), [&](const auto& each) { return each.metric == metric; });
}

bool UsesDimension(const SecurityProfile& profile, std::string_view dimension) {
  auto is = [&](const auto& each) { return each.dimension && each.dimension->dimension_name.value() == dimension; };
  const auto& behaviors = profile.content.behaviors;
  if (behaviors && std::any_of(behaviors->begin(), behaviors->end(), is)) return true;
  auto retained = RetainedMetrics(profile.content);
  return std::any_of(retained.begin(), retained.end(), is);
}

Status CheckUnused(ConstReader reader, std::string_view what, std::string_view name,
                   const std::function<bool(const SecurityProfile&)>& uses) {
  Status fault;
  FW_TRY(reader.Scan(kSecurityProfiles, "", "", [&](std::string_view key, std::string_view record) {
    auto profile = DecodeSecurityProfile(key, record);
    if (!profile.ok()) {
      fault = profile.error();
    } else if (uses(*profile)) {
      fault = Error(Code::kInvalidArgument, "The " + std::string(what) + " " + std::string(name) +
                                                " is used by security profile " + std::string(key) +
                                                ": remove it from all security profiles first");
    }
    return fault.ok();
  }));
  return fault;
}

model::BehaviorRules RulesFor(ConstReader reader, const Quotas& quotas) {
  model::BehaviorRules rules;
  rules.min_duration_seconds = quotas.min_duration_seconds;
  rules.max_behaviors = quotas.behaviors_per_profile;
  rules.max_value_elements = quotas.value_elements_per_profile;
  rules.custom_metric = [&reader](std::string_view name) -> std::optional<model::CustomMetricType> {
    auto metric = FindCustomMetric(reader, name);
    if (!metric.ok() || !*metric) return std::nullopt;
    return (*metric)->type;
  };
  rules.dimension_exists = [&reader](std::string_view name) {
    auto dimension = FindDimension(reader, name);
    return dimension.ok() && dimension->has_value();
  };
  return rules;
}

std::vector<model::MetricToRetain> RetainedMetrics(const ProfileContent& content) {
  std::vector<model::MetricToRetain> metrics;
  if (content.metrics_to_retain_v2) metrics = *content.metrics_to_retain_v2;
  if (!content.metrics_to_retain) return metrics;
  std::set<std::string> present;  // not views: `metrics` grows
  for (const model::MetricToRetain& each : metrics) {
    if (!each.dimension) present.insert(each.metric);
  }
  for (const std::string& name : *content.metrics_to_retain) {
    if (present.insert(name).second) metrics.push_back({name, std::nullopt, std::nullopt});
  }
  return metrics;
}

model::SecurityProfile EngineForm(const SecurityProfile& profile) {
  model::SecurityProfile form;
  form.name = profile.name;
  form.description = profile.content.description.value_or("");
  form.behaviors = profile.content.behaviors.value_or(std::vector<model::Behavior>());
  form.alert_targets = profile.content.alert_targets.value_or(std::map<std::string, model::AlertTarget>());
  form.additional_metrics_to_retain = RetainedMetrics(profile.content);
  form.metrics_export = profile.content.metrics_export;
  form.version = profile.version;
  return form;
}

}  // namespace fleetward::registry
