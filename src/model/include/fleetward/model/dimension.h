// Numbers of what TOPIC_FILTER dimensions select, in counter records, log records and stored series.
#pragma once

#include <cstdint>

#include "fleetward/model/behavior.h"

namespace fleetward::model {

/// The number of the topics that `op` selects of a dimension; 0 stands for all topics. `dimension`: its own number, from
/// 1.
constexpr std::uint32_t DimensionSeries(std::uint32_t dimension, DimensionOperator op) {
  return dimension * 2 + (op == DimensionOperator::kNotIn ? 1 : 0);
}
constexpr std::uint32_t DimensionOfSeries(std::uint32_t series) { return series / 2; }
constexpr DimensionOperator OperatorOfSeries(std::uint32_t series) {
  return series % 2 == 0 ? DimensionOperator::kIn : DimensionOperator::kNotIn;
}

}  // namespace fleetward::model
