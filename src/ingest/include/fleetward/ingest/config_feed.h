// From the registry to the event log: every change that verdicts depend on, as records for Pipeline::Configure, and the
// whole configuration for Pipeline::Start.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "fleetward/ingest/pipeline.h"
#include "fleetward/ingest/record.h"
#include "fleetward/registry/changes.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/registry.h"

namespace fleetward::ingest {

/// Add it to the change hub behind the directory, which it asks for the groups of things. All referenced objects
/// outlive it. Costs a few microseconds a change on the store's writer thread, and reads no store there.
class ConfigFeed final : public registry::ChangeListener {
 public:
  /// Usually Pipeline::Configure. Called in the order of the commits; must be quick.
  using Sink = std::function<void(std::vector<Record>)>;

  ConfigFeed(const registry::Directory& directory, const registry::Registry& registry, Sink sink)
      : directory_(directory), registry_(registry), sink_(std::move(sink)) {}

  void OnChanges(std::span<const registry::Change> changes) override;

  /// Custom metrics, then profiles, then things. No call of the API may change the registry before Pipeline::Start has
  /// returned. The feed outlives the function.
  Pipeline::Configuration WholeConfiguration() const;

 private:
  const registry::Directory& directory_;
  const registry::Registry& registry_;
  const Sink sink_;
};

}  // namespace fleetward::ingest
