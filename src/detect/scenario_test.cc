// Runs every file of tests/scenarios, straight and with a restart before each event.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "fleetward/model/validate.h"
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

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, HoldsStraightAndWithRestarts) {
  std::string text = TextOf(GetParam());
  ScenarioOutcome straight = RunScenario(text, false);
  for (const std::string& failure : straight.failures) ADD_FAILURE() << GetParam().filename() << " " << failure;
  EXPECT_GT(straight.checks, 0u);
  ScenarioOutcome restarted = RunScenario(text, true);
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

// --- no combination without a scenario ----------------------------------------------------------------------------

/// What a behavior is about: "num-disconnects STATIC less-than count", "custom number MACHINE_LEARNING HIGH",
/// "num-messages-sent NOT_IN STATISTICAL less-than".
std::string CombinationOf(const model::Behavior& behavior, std::optional<model::CustomMetricType> custom) {
  const model::BehaviorCriteria& criteria = *behavior.criteria;
  std::string text = custom ? "custom " + std::string(model::CustomMetricTypeName(*custom)) : *behavior.metric;
  if (behavior.dimension) text += " " + std::string(model::DimensionOperatorName(behavior.dimension->op));
  text += " " + std::string(model::CriteriaTypeName(criteria.type()));
  // An ML behavior has no operator; one that is given means nothing.
  if (criteria.ml_confidence) return text + " " + std::string(model::ConfidenceLevelName(*criteria.ml_confidence));
  text += " " + std::string(model::OperatorName(*criteria.comparison_operator));
  if (criteria.statistic) return text;
  return text + " " + std::to_string(criteria.value.index());
}

std::string StatisticOf(const model::BehaviorCriteria& criteria) {
  return *criteria.statistic + " " + std::string(model::OperatorName(*criteria.comparison_operator));
}

/// "reports STATIC 900": windows of reports' deltas or of the broker's counts.
std::optional<std::string> WindowOf(const model::Behavior& behavior) {
  const model::MetricInfo* info = model::FindBuiltinMetric(*behavior.metric);
  const model::BehaviorCriteria& criteria = *behavior.criteria;
  if (!info || !info->needs_duration || !criteria.duration_seconds) return std::nullopt;
  if (!info->delta && info->side != model::MetricSide::kCloud) return std::nullopt;
  return std::string(info->delta ? "reports " : "broker ") + std::string(model::CriteriaTypeName(criteria.type())) + " " +
         std::to_string(*criteria.duration_seconds);
}

/// Every behavior there could be, right or wrong: metric, dimension, kind, operator.
template <class Fn>
void EachBehavior(const Fn& fn) {
  std::vector<std::pair<std::string, std::optional<model::CustomMetricType>>> metrics;
  for (const model::MetricInfo& info : model::BuiltinMetrics()) metrics.emplace_back(info.name, std::nullopt);
  for (int i = 0; i <= static_cast<int>(model::CustomMetricType::kNumber); ++i) {
    auto type = static_cast<model::CustomMetricType>(i);
    metrics.emplace_back(model::CustomMetricTypeName(type), type);
  }
  const model::MetricValue values[] = {model::Count{}, model::Cidrs{}, model::Ports{}, model::Number{},
                                       model::Numbers{}, model::Strings{}};
  for (const auto& [name, custom] : metrics) {
    for (int dimension = 0; dimension < 3; ++dimension) {
      model::Behavior behavior;
      behavior.name = model::BehaviorName("b");
      behavior.metric = name;
      auto op = dimension == 1 ? model::DimensionOperator::kIn : model::DimensionOperator::kNotIn;
      if (dimension > 0) behavior.dimension = model::MetricDimension{model::DimensionName("d"), op};
      for (int i = 0; i <= static_cast<int>(model::ComparisonOperator::kNotInSet); ++i) {
        auto& criteria = behavior.criteria.emplace();
        criteria.comparison_operator = static_cast<model::ComparisonOperator>(i);
        criteria.duration_seconds = 300;
        for (const model::MetricValue& value : values) {
          criteria.value = value;
          fn(behavior, custom);
        }
        criteria.value = std::monostate();
        for (const char* statistic : {"p0", "p0.01", "p0.1", "p1", "p10", "p50", "p90", "p99", "p99.9", "p99.99", "p100"}) {
          criteria.statistic = statistic;
          fn(behavior, custom);
        }
      }
      for (auto confidence : {model::ConfidenceLevel::kLow, model::ConfidenceLevel::kMedium, model::ConfidenceLevel::kHigh}) {
        behavior.criteria.emplace().ml_confidence = confidence;
        fn(behavior, custom);
      }
    }
  }
}

/// Whatever the API accepts has a scenario that expects its alarm on, and off again.
TEST(ScenarioCoverage, EveryBehaviorThatTheApiAcceptsIsSeenOnAndOff) {
  std::set<std::string> combinations, statistics, windows;
  for (const auto& path : Files()) {
    for (const CoveredBehavior& covered : RunScenario(TextOf(path), false).covered) {
      if (!covered.cleared || !covered.behavior.criteria) continue;
      combinations.insert(CombinationOf(covered.behavior, covered.custom));
      if (auto window = WindowOf(covered.behavior)) windows.insert(*window);
      if (covered.behavior.criteria->statistic) statistics.insert(StatisticOf(*covered.behavior.criteria));
    }
  }
  model::BehaviorRules rules;
  rules.custom_metric = [](std::string_view name) { return model::ParseCustomMetricType(name); };
  rules.dimension_exists = [](std::string_view) { return true; };
  std::set<std::string> missing, valid;
  EachBehavior([&](const model::Behavior& behavior, std::optional<model::CustomMetricType> custom) {
    if (!model::ValidateBehaviors(std::span(&behavior, 1), rules).empty()) return;
    std::string combination = CombinationOf(behavior, custom);
    valid.insert(combination);
    if (!combinations.contains(combination)) missing.insert(combination);
    if (!behavior.criteria->statistic || statistics.contains(StatisticOf(*behavior.criteria))) return;
    missing.insert("STATISTICAL " + StatisticOf(*behavior.criteria));
  });
  EXPECT_GT(valid.size(), 250u);
  for (const char* of : {"reports STATIC ", "reports STATISTICAL ", "broker STATIC ", "broker STATISTICAL "}) {
    for (int duration : {300, 600, 900, 1800, 3600}) {
      std::string window = of + std::to_string(duration);
      if (!windows.contains(window)) missing.insert(window);
    }
  }
  for (const std::string& combination : missing) ADD_FAILURE() << "no scenario: " << combination;
}

}  // namespace
}  // namespace fleetward::detect
