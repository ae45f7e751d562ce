// What FleetIndex keeps of one index, and how documents are made. Private.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access.h"
#include "fleetward/registry/fleet_index.h"

namespace fleetward::registry {

inline constexpr std::string_view kDefenderPrefix = "deviceDefender.";

struct FleetIndex::Shelf {
  explicit Shelf(std::string_view name_field) : collection(std::string(name_field)) {}
  index::Collection collection;
  bool building = true;
  // What came while it was building: things and groups to read once more, and the latest word of other sources.
  std::set<std::string> changed;
  std::uint64_t told = 0;  // the greatest Thing::order among them
  std::map<std::string, ThingConnectivity> connectivity;
  std::vector<std::pair<model::ActiveViolation, bool>> violations;
};

struct FleetIndex::DynamicGroup {
  std::string text;
  index::Query query;
};

std::vector<index::Value> ConnectivityValues(const ThingConnectivity& connectivity);
/// Puts a behavior's state among those that the thing's document has.
void PutViolation(index::Collection& into, const model::ActiveViolation& violation, bool active);

}  // namespace fleetward::registry
