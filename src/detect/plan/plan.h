// Security profiles compiled for evaluation. A plan is what a set of profiles asks of one thing: which metrics, which
// windows, which behaviors, and how the state of all this lies in memory. Things with the same profiles share one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "fleetward/detect/config.h"
#include "fleetward/detect/sink.h"
#include "fleetward/model/behavior.h"
#include "threshold/criteria.h"
#include "windows/bucket_window.h"

namespace fleetward::detect {

/// Where a behavior's datapoints come from.
enum class Feed : std::uint8_t {
  kNever,         // nothing to judge: no criteria, unknown metric, other kinds of criteria
  kCount,         // a count of the report
  kDelta,         // a window over counters of the reports
  kTcpPorts,
  kUdpPorts,
  kRemotes,       // destination addresses
  kCustom,
  kPanes,         // a window over a counter of the broker
  kSizes,         // message sizes of a bucket
  kAddresses,     // source addresses of a bucket
  kOffline,       // disconnect-duration
  kSilence,       // seconds since the last report
};

struct CompiledBehavior {
  Feed feed = Feed::kNever;
  Verdict idle = Verdict::kNoCriteria;    // kNever: why
  model::BuiltinMetric metric{};          // built-in ones
  std::string custom_name;                // kCustom
  model::ValueKind kind{};                // of the metric
  model::CriteriaType type = model::CriteriaType::kStatic;
  StaticCriteria criteria;                // kStatic
  std::int32_t percentile = 0;            // kStatistical: hundredths of a percent
  model::ComparisonOperator op{};         // kStatistical
  bool upper = true;                      // kStatistical: less-than or less-than-equals
  std::int64_t length_ms = 0;             // kStatistical: of a window, needed_ms in whole buckets; ML: a bucket
  model::ConfidenceLevel confidence = model::ConfidenceLevel::kHigh;  // kMachineLearning
  bool digest = false;                    // kStatistical: most things violate it, so alerts are summed up
  std::int32_t to_alarm = 1;
  std::int32_t to_clear = 1;
  std::int64_t needed_ms = 0;
  std::int64_t definition_version = 0;
  std::uint64_t layout = 0;               // feed, metric and duration as a number, for the plan's signature
};

using CustomMetrics = std::map<std::string, CustomMetricConfig, std::less<>>;

struct CompiledProfile {
  ProfileConfig config;
  std::vector<CompiledBehavior> behaviors;
};
std::shared_ptr<const CompiledProfile> CompileProfile(ProfileConfig config, const CustomMetrics& custom,
                                                      const Options& options);

struct PlanBehavior {
  const CompiledProfile* profile = nullptr;
  const CompiledBehavior* code = nullptr;
  const model::Behavior* definition = nullptr;
  std::int32_t statistic = -1;            // index in Plan::statistics
  std::int32_t model = -1;                // index in Plan::models
  std::int32_t population = -1;           // of statistical and ML behaviors: index in Cohort::populations
};

/// Where a statistical behavior keeps its StatisticState.
struct PlanStatistic {
  std::uint16_t behavior = 0;
  std::uint32_t offset = 0;
};

/// Where an ML behavior keeps its ModelState.
struct PlanModel {
  std::uint16_t behavior = 0;
  std::uint32_t offset = 0;
};

/// A window, or a list, that is kept once for all behaviors that look at it.
struct PlanWindow {
  Feed feed{};
  model::BuiltinMetric metric{};
  const model::MetricDimension* dimension = nullptr;  // null: all topics
  std::int64_t needed_ms = 0;
  PaneLayout layout;                                   // kPanes
  std::uint32_t offset = 0;                            // of its state, in bytes
  std::vector<std::uint16_t> behaviors;
  /// What makes it the same window in another plan.
  auto Key() const {
    return std::make_tuple(feed, metric, dimension ? dimension->dimension_name.value() : std::string(),
                           dimension ? static_cast<int>(dimension->op) + 1 : 0, needed_ms);
  }
};

struct Plan {
  std::vector<std::shared_ptr<const CompiledProfile>> profiles;  // by name
  std::vector<PlanBehavior> behaviors;                           // by profile, in its order
  std::vector<std::uint16_t> counts, tcp_ports, udp_ports, remotes, offline;  // behaviors by feed
  std::vector<PlanWindow> deltas, buckets;                       // buckets: kPanes, kSizes, kAddresses
  struct Custom {
    const std::string* name = nullptr;
    model::ValueKind kind{};
    std::vector<std::uint16_t> behaviors;
  };
  std::vector<Custom> customs;
  std::vector<PlanStatistic> statistics;
  std::vector<PlanModel> models;
  std::vector<std::uint16_t> compared;  // behaviors with a population
  std::uint32_t state_bytes = 0;                                 // of behaviors and windows
  /// Plans with equal signatures have the same layout and the same definitions: state fits both.
  std::string signature;
  std::uint64_t signature_hash = 0;
};
std::shared_ptr<const Plan> MakePlan(std::vector<std::shared_ptr<const CompiledProfile>> profiles,
                                     const Options& options);

/// Whether the profile's targets take in a thing with these groups (sorted).
bool Covers(const ProfileConfig& config, bool registered, const std::vector<std::string>& groups);
/// The most specific of the targets that do: a group (the first by name) before all registered or unregistered things
/// before all things. Null: none does.
const model::ProfileTarget* CoveringTarget(const ProfileConfig& config, bool registered,
                                           const std::vector<std::string>& groups);

}  // namespace fleetward::detect
