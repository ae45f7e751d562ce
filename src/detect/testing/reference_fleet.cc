#include "reference_fleet.h"

#include "support.h"

namespace fleetward::detect {

Options ReferenceOptions() {
  Options options;
  options.account = model::AccountId("1");
  options.sha256 = MixDigest;
  options.slab_count = 4;
  options.max_new_alarms_per_second = 0;
  return options;
}

void ReferenceFleet::SetProfile(Engine& engine, std::size_t version, const std::vector<model::Behavior>& behaviors,
                                Timestamp time) {
  ProfileConfig config;
  config.profile.name = model::SecurityProfileName("P");
  config.profile.version = static_cast<std::int64_t>(version) + 1;
  config.profile.behaviors = behaviors;
  config.definition_versions = version == 0
                                   ? std::vector<std::int64_t>(behaviors.size(), 1)
                                   : NextDefinitionVersions(last_.profile, last_.definition_versions, config.profile);
  using Kind = model::ProfileTarget::Kind;
  if (groups_) {
    config.targets = {{Kind::kThingGroup, model::ThingGroupName("g0")}, {Kind::kThingGroup, model::ThingGroupName("g1")}};
  } else {
    config.targets = {{Kind::kAllThings, {}}};
  }
  engine.SetProfile(config, time);
  last_ = config;
}

void ReferenceFleet::SetThing(Engine& engine, int thing, int group, Timestamp time) {
  engine.SetThing({EntityOf(NameOf(thing)), model::ThingName(NameOf(thing)), true,
                   {model::ThingGroupName("g" + std::to_string(group))}}, time);
}

}  // namespace fleetward::detect
