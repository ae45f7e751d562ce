// The notation of scenarios as steps: times, repetitions and series written out. tests/scenarios/README.md describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetward::detect {

struct ScenarioStep {
  std::int64_t time_ms = 0;
  int line = 0;
  std::vector<std::string> words;   // without the time
  std::string rest;                 // the JSON of a profile's behaviors
};

struct ScenarioScript {
  std::vector<std::string> options;
  std::vector<ScenarioStep> steps;     // by time, those of one time in the order of the file
  std::vector<ScenarioStep> final;     // "events …": after the last step
  std::vector<std::string> faults;     // "line 12: …"
};

ScenarioScript ReadScenario(std::string_view text);

std::vector<std::string> Split(std::string_view text, char separator);
/// "1:02:03", "2:03" (minutes, seconds) or "3" as milliseconds; a fraction of the seconds is allowed.
std::optional<std::int64_t> ParseTime(std::string_view text);

}  // namespace fleetward::detect
