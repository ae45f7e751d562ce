// What of things, groups, connections and violations is found, and under which names.
#include <algorithm>
#include <cmath>

#include "fleet_index_shelf.h"

namespace fleetward::registry {
namespace {

using index::Collection;
using index::Section;
using index::Value;

std::string NumberText(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<std::int64_t>(value));
  return std::to_string(value);
}

std::string BehaviorPrefix(const model::ActiveViolation& violation) {
  return std::string(kDefenderPrefix) + violation.profile.value() + "." + violation.behavior.name.value() + ".";
}

void AddViolation(std::vector<Value>& values, const model::ActiveViolation& violation) {
  std::string prefix = BehaviorPrefix(violation);
  values.push_back({prefix + "inViolation", "true"});
  values.push_back({prefix + "lastViolationTime", std::to_string(ToMillis(violation.last_violation_time))});
  if (violation.behavior.metric) {
    values.push_back({prefix + "metricName", *violation.behavior.metric});
  }
  if (const auto* count = std::get_if<model::Count>(&violation.last_value)) {
    values.push_back({prefix + "lastViolationValue.count", std::to_string(count->value)});
  } else if (const auto* number = std::get_if<model::Number>(&violation.last_value)) {
    values.push_back({prefix + "lastViolationValue.number", NumberText(number->value)});
  }
}

// The count is how many behaviors are in violation; without any there is nothing.
void CountViolations(std::vector<Value>& values) {
  std::erase_if(values, [](const Value& value) { return value.field == "deviceDefender.violationCount"; });
  auto count = std::count_if(values.begin(), values.end(),
                             [](const Value& value) { return value.field.ends_with(".inViolation"); });
  values.push_back({"deviceDefender.violationCount", std::to_string(count)});
}

}  // namespace

void PutViolation(Collection& into, const model::ActiveViolation& violation, bool active) {
  const std::string& name = violation.thing_name.value();
  std::vector<Value> values = into.ValuesOf(name, Section::kViolations);
  std::string prefix = BehaviorPrefix(violation);
  std::erase_if(values, [&](const Value& value) { return value.field.starts_with(prefix); });
  if (active) AddViolation(values, violation);
  CountViolations(values);
  into.Put(name, Section::kViolations, values);
}

std::vector<Value> ConnectivityValues(const ThingConnectivity& connectivity) {
  std::vector<Value> values = {{"connectivity.connected", connectivity.connected ? "true" : "false"},
                               {"connectivity.timestamp", std::to_string(ToMillis(connectivity.since))}};
  if (!connectivity.disconnect_reason.empty()) {
    values.push_back({"connectivity.disconnectReason", connectivity.disconnect_reason});
  }
  return values;
}

void FleetIndex::PutThing(Collection& into, const Thing& thing) const {
  std::vector<Value> values = {{"registry.version", std::to_string(thing.version)}, {"thingId", thing.id.Uuid()}};
  if (!thing.type.empty()) values.push_back({"thingTypeName", thing.type});
  if (!thing.billing_group.empty()) values.push_back({"billingGroupName", thing.billing_group});
  for (const auto& [name, value] : thing.attributes) values.push_back({"attributes." + name, value});
  into.Place(thing.name.value(), thing.order);
  into.Put(thing.name.value(), Section::kRegistry, values);
}

void FleetIndex::PutGroups(Collection& into, std::string_view thing) const {
  std::vector<Value> values;
  for (const auto& group : directory_.GroupsOf(thing)) {
    if (!dynamic_.contains(group.value())) values.push_back({"thingGroupNames", group.value()});
  }
  into.Put(thing, Section::kGroups, values);
}

void FleetIndex::PutThingGroup(Collection& into, const ThingGroup& group) const {
  std::vector<Value> values = {{"version", std::to_string(group.version)}, {"thingGroupId", group.id.Uuid()}};
  if (!group.description.empty()) values.push_back({"description", group.description});
  for (const auto& [name, value] : group.attributes) values.push_back({"attributes." + name, value});
  for (const auto& ancestor : directory_.AncestorsOf(group.name.value())) {
    values.push_back({"parentGroupNames", ancestor.value()});
  }
  into.Place(group.name.value(), group.order);
  into.Put(group.name.value(), Section::kRegistry, values);
}

}  // namespace fleetward::registry
