// Runs every file of tests/scenarios, straight and with a restart before each event.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "testing/scenario.h"

namespace fleetward::detect {
namespace {

std::vector<std::filesystem::path> Files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(FLEETWARD_SCENARIOS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, HoldsStraightAndWithRestarts) {
  std::ifstream file(GetParam());
  std::stringstream text;
  text << file.rdbuf();
  ScenarioOutcome straight = RunScenario(text.str(), false);
  for (const std::string& failure : straight.failures) ADD_FAILURE() << GetParam().filename() << " " << failure;
  EXPECT_GT(straight.checks, 0u);
  ScenarioOutcome restarted = RunScenario(text.str(), true);
  for (const std::string& failure : restarted.failures) ADD_FAILURE() << "with restarts: " << failure;
  EXPECT_EQ(straight.lines, restarted.lines);
}

INSTANTIATE_TEST_SUITE_P(Files, Scenario, testing::ValuesIn(Files()),
                         [](const auto& info) { return info.param.stem().string(); });

TEST(ScenarioRunner, FailsWhenAnExpectationIsWrong) {
  const char* text =
      "0 profile P target=all\n"
      "  {\"name\":\"b\",\"metric\":\"aws:num-listening-tcp-ports\",\"criteria\":{\"comparisonOperator\":\"less-than\","
      "\"durationSeconds\":300,\"value\":{\"count\":2}}}\n"
      "1:00 report pump tcp-total=3\n"
      "1:01 expect pump P/b ok\n"
      "events pump P/b\n"
      "nonsense\n";
  EXPECT_EQ(RunScenario(text, false).failures.size(), 3u);
}

}  // namespace
}  // namespace fleetward::detect
