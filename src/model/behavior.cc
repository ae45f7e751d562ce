#include "fleetward/model/behavior.h"

#include <array>

namespace fleetward::model {
namespace {

constexpr std::array<std::string_view, 10> kOperators = {
    "less-than",   "less-than-equals", "greater-than",    "greater-than-equals", "in-cidr-set",
    "not-in-cidr-set", "in-port-set",  "not-in-port-set", "in-set",              "not-in-set"};

}  // namespace

std::string_view OperatorName(ComparisonOperator op) { return kOperators[static_cast<std::size_t>(op)]; }

std::optional<ComparisonOperator> ParseOperator(std::string_view name) {
  for (std::size_t i = 0; i < kOperators.size(); ++i) {
    if (kOperators[i] == name) return static_cast<ComparisonOperator>(i);
  }
  return std::nullopt;
}

std::string_view ConfidenceLevelName(ConfidenceLevel level) {
  switch (level) {
    case ConfidenceLevel::kLow: return "LOW";
    case ConfidenceLevel::kMedium: return "MEDIUM";
    case ConfidenceLevel::kHigh: return "HIGH";
  }
  return "";
}

std::string_view CriteriaTypeName(CriteriaType type) {
  switch (type) {
    case CriteriaType::kStatic: return "STATIC";
    case CriteriaType::kStatistical: return "STATISTICAL";
    case CriteriaType::kMachineLearning: return "MACHINE_LEARNING";
  }
  return "";
}

std::optional<ConfidenceLevel> ParseConfidenceLevel(std::string_view name) {
  for (auto level : {ConfidenceLevel::kLow, ConfidenceLevel::kMedium, ConfidenceLevel::kHigh}) {
    if (ConfidenceLevelName(level) == name) return level;
  }
  return std::nullopt;
}

std::string_view DimensionOperatorName(DimensionOperator op) { return op == DimensionOperator::kIn ? "IN" : "NOT_IN"; }

std::optional<DimensionOperator> ParseDimensionOperator(std::string_view name) {
  if (name == "IN") return DimensionOperator::kIn;
  if (name == "NOT_IN") return DimensionOperator::kNotIn;
  return std::nullopt;
}

}  // namespace fleetward::model
