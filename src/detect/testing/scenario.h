// Plain-text scenarios: series of events in a compact notation, then the alarm states that must follow. The notation is
// described in tests/scenarios/README.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/behavior.h"

namespace fleetward::detect {

/// A behavior that expectations looked at.
struct CoveredBehavior {
  model::Behavior behavior;
  std::optional<model::CustomMetricType> custom;   // type of its metric
  bool raised = false;                 // its alarm was seen on
  bool cleared = false;                // and later off
};

struct ScenarioOutcome {
  std::vector<std::string> failures;   // "line 12: …"; empty: passed
  std::vector<std::string> lines;      // all decisions, as text
  std::size_t checks = 0;              // expectations that were looked at
  std::vector<CoveredBehavior> covered;
};

/// `restart_each`: the engine is saved and restored before every single event.
ScenarioOutcome RunScenario(std::string_view text, bool restart_each);

}  // namespace fleetward::detect
