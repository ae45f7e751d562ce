// Plain-text scenarios: series of events in a compact notation, then the alarm states that must follow. The notation is
// described in tests/scenarios/README.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fleetward::detect {

struct ScenarioOutcome {
  std::vector<std::string> failures;   // "line 12: …"; empty: passed
  std::vector<std::string> lines;      // all decisions, as text
  std::size_t checks = 0;              // expectations that were looked at
};

/// `restart_each`: the engine is saved and restored before every single event.
ScenarioOutcome RunScenario(std::string_view text, bool restart_each);

}  // namespace fleetward::detect
