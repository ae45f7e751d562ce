// Metrics export: which series of which profiles go to which topics, and their values as the service's JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/model/behavior.h"
#include "fleetward/telemetry/sample.h"
#include "sample_builder.h"

namespace fleetward::ingest {

/// A series as a profile names it. The dimension's number is looked up: it is another one when the dimension is made
/// anew.
struct ExportedMetric {
  std::string metric;
  std::optional<model::MetricDimension> dimension;
  std::optional<telemetry::SeriesKey> key;   // absent: unknown custom metric or dimension
};

struct ProfileExport {
  std::string topic;
  std::vector<ExportedMetric> metrics;       // each series once
};

using DimensionNumbers = std::map<std::string, std::uint32_t, std::less<>>;

/// Of one shard, by profile.
class ExportPlan {
 public:
  /// Takes what the profile exports; nothing when it has no metricsExportConfig or no exportMetric.
  void Set(const model::SecurityProfile& profile);
  void Remove(const std::string& profile) { profiles_.erase(profile); }
  /// Gives the series their numbers anew.
  void Resolve(const CustomMetricTable& customs, const DimensionNumbers& dimensions);
  bool empty() const { return profiles_.empty(); }
  /// Whether any profile exports aws:disconnect-duration.
  bool ExportsOffline() const;
  const std::map<std::string, ProfileExport>& profiles() const { return profiles_; }

 private:
  std::map<std::string, ProfileExport> profiles_;
};

/// One entry of "metrics": {"name":…,"thing":…,"value":…,"version":…,"timestamp":…}. `value` is JSON.
std::string ExportItem(const ExportedMetric& metric, std::string_view thing, std::string_view value, Timestamp time);

/// The value of a bucket's aws:message-byte-size: the largest as "count", and min, max, total.
std::string ExportedSizes(std::uint64_t smallest, std::uint64_t largest, std::uint64_t total);

}  // namespace fleetward::ingest
