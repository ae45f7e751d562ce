#include "fleetward/ingest/config_feed.h"

#include <set>
#include <string>
#include <type_traits>
#include <utility>

namespace fleetward::ingest {
namespace {

ProfileSetRecord SetProfile(const registry::SecurityProfile& profile, std::vector<model::ProfileTarget> targets) {
  ProfileSetRecord record;
  record.config.profile = registry::EngineForm(profile);
  record.config.definition_versions = profile.definition_versions;
  record.config.targets = std::move(targets);
  return record;
}

CustomMetricSetRecord SetCustomMetric(const registry::CustomMetric& metric) {
  CustomMetricSetRecord record;
  record.config = {metric.name, metric.id, metric.type};
  return record;
}

DimensionSetRecord SetDimension(const registry::Dimension& dimension) {
  DimensionSetRecord record;
  record.name = dimension.name;
  record.number = dimension.number;
  return record;
}

ThingSetRecord SetThing(const registry::Directory& directory, std::string_view name, const model::EntityId& entity) {
  ThingSetRecord record;
  record.config.entity = entity;
  record.config.name = model::ThingName(name);
  record.config.groups = directory.GroupsOf(name);
  return record;
}

/// The records of one call's changes.
class Batch {
 public:
  explicit Batch(const registry::Directory& directory) : directory_(directory) {}

  void Note(const registry::ThingChanged& event) {
    bool renewed = event.before && event.now && event.before->id != event.now->id;
    if (event.before && (!event.now || renewed)) {
      ThingRemovedRecord record;
      record.entity = event.before->id;
      records_.emplace_back(record);
    }
    if (event.now && (!event.before || renewed)) touched_.insert(event.name.value());
  }
  void Note(const registry::MembershipChanged& event) { touched_.insert(event.thing.value()); }
  void Note(const registry::SecurityProfileChanged& event) {
    if (event.now) {
      records_.emplace_back(SetProfile(*event.now, event.targets));
      return;
    }
    ProfileRemovedRecord record;
    record.name = event.name;
    records_.emplace_back(std::move(record));
  }
  void Note(const registry::CustomMetricChanged& event) {
    if (event.before && event.now) return;  // another display name
    if (event.now) {
      records_.emplace_back(SetCustomMetric(*event.now));
      return;
    }
    CustomMetricRemovedRecord record;
    record.name = event.name;
    records_.emplace_back(std::move(record));
  }
  void Note(const registry::DimensionChanged& event) {
    if (event.before && event.now) return;  // other filters: the plugin knows
    if (event.now) {
      records_.emplace_back(SetDimension(*event.now));
      return;
    }
    DimensionRemovedRecord record;
    record.name = event.name;
    records_.emplace_back(std::move(record));
  }
  // A group matters through its members, and its parent never changes.
  template <class Event>
  void Note(const Event&) {}

  /// The directory already knows the end of the call: each thing that was touched is told once, as it is now.
  std::vector<Record> Take() && {
    for (const std::string& name : touched_) {
      registry::ThingIdentity thing = directory_.Identify(name);
      if (thing.registered) records_.emplace_back(SetThing(directory_, name, thing.entity));
    }
    return std::move(records_);
  }

 private:
  const registry::Directory& directory_;
  std::vector<Record> records_;
  std::set<std::string> touched_;
};

}  // namespace

void ConfigFeed::OnChanges(std::span<const registry::Change> changes) {
  Batch batch(directory_);
  for (const registry::Change& change : changes) {
    std::visit([&](const auto& event) { batch.Note(event); }, change);
  }
  std::vector<Record> records = std::move(batch).Take();
  if (!records.empty()) sink_(std::move(records));
}

Pipeline::Configuration ConfigFeed::WholeConfiguration() const {
  return [this](const std::function<void(Record)>& emit) -> Status {
    FW_ASSIGN(auto metrics, registry_.custom_metrics.All());
    for (const registry::CustomMetric& metric : metrics) emit(SetCustomMetric(metric));
    FW_ASSIGN(auto dimensions, registry_.dimensions.All());
    for (const registry::Dimension& dimension : dimensions) emit(SetDimension(dimension));
    FW_ASSIGN(auto profiles, registry_.security_profiles.All());
    for (registry::ProfileWithTargets& each : profiles) emit(SetProfile(each.profile, std::move(each.targets)));
    std::vector<std::pair<std::string, model::EntityId>> things;
    things.reserve(directory_.thing_count());
    directory_.ForEachThing([&](std::string_view name, model::EntityId entity) { things.emplace_back(name, entity); });
    for (const auto& [name, entity] : things) emit(SetThing(directory_, name, entity));
    return {};
  };
}

}  // namespace fleetward::ingest
