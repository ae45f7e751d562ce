// A series as people read it: its values, and between them the gaps with what is known of their causes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "fleetward/base/result.h"
#include "fleetward/ingest/pipeline.h"
#include "fleetward/model/behavior.h"
#include "fleetward/registry/registry.h"

namespace fleetward::app {

struct MetricViewQuery {
  std::string thing, metric;
  std::optional<model::MetricDimension> dimension;
  Timestamp start{}, end{};
};

/// {"entries": […]} in time order: {"time", "value", "marks"} and {"from", "to", "gap", "missing", "reason"}. At most
/// the newest 10,000 values. Errors: kNotFound (custom metric, dimension), kInvalidArgument (a metric that is not
/// stored), kIo.
Result<nlohmann::ordered_json> MetricView(const ingest::Pipeline& pipeline, const registry::Registry& registry,
                                          const MetricViewQuery& query);

}  // namespace fleetward::app
