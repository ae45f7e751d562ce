// What an engine has to know before it can judge: options of the process, and configuration that travels in the event
// log (so that a replay sees each change at the same place). Target fleetward::detect.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/metric.h"
#include "fleetward/model/names.h"

namespace fleetward::detect {

/// SHA-256 of some bytes. Injected, so that the engine needs no crypto library; must not fail.
using Sha256Function = std::array<std::uint8_t, 32> (*)(std::string_view bytes);

/// The same in every shard of a process. Durations in seconds.
struct Options {
  model::AccountId account;
  Sha256Function sha256 = nullptr;             // required
  /// Bucket of the cloud-side counters: min(300, detect.min_duration_seconds) (D3).
  std::int32_t bucket_seconds = 300;
  /// detect.early (D5).
  bool early = true;
  /// New alarms a second of one behavior that become events in this shard (D12): detect.max_new_alarms_per_second
  /// divided by the number of shards, at least 1. 0: no limit.
  std::uint32_t max_new_alarms_per_second = 1000;
  /// Unregistered names that are tracked at once in this shard; further ones are ignored and counted (threats.md g).
  std::uint32_t max_unregistered_things = 200'000;
  /// How things are cut into slabs, the units of checkpoints. Unset: a hash of the id modulo slab_count. At most 65535.
  std::uint32_t slab_count = 4096;
  std::uint32_t (*slab_of)(const model::EntityId& entity) = nullptr;
};

/// A security profile as the engine needs it.
struct ProfileConfig {
  model::SecurityProfile profile;
  /// One for each behavior, in order: changes exactly when the definition (metric, dimension, criteria) of the behavior
  /// of that name changes (see NextDefinitionVersions). Part of the violationId (D10).
  std::vector<std::int64_t> definition_versions;
  std::vector<model::ProfileTarget> targets;
};

/// The definition versions after an update: a behavior whose definition is that of `before` keeps its number, a new or
/// changed one gets `after.version`. `before_versions` belongs to `before`.
std::vector<std::int64_t> NextDefinitionVersions(const model::SecurityProfile& before,
                                                 const std::vector<std::int64_t>& before_versions,
                                                 const model::SecurityProfile& after);

struct CustomMetricConfig {
  model::CustomMetricName name;
  model::MetricId id = model::kFirstCustomMetric;
  model::CustomMetricType type = model::CustomMetricType::kNumber;
};

/// A thing of the registry. Unregistered things need none: their first event makes them known.
struct ThingConfig {
  model::EntityId entity;
  model::ThingName name;
  bool registered = true;
  /// Every group the thing is in, ancestors included, in any order (detect.md §6: a child's things are covered too).
  std::vector<model::ThingGroupName> groups;
};

}  // namespace fleetward::detect
