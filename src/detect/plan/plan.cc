#include "plan/plan.h"

#include <algorithm>

#include "alarm/behavior_state.h"
#include "fleetward/base/encoding.h"
#include "fleetward/model/validate.h"
#include "state/model_state.h"
#include "statistical/statistic_state.h"
#include "statistical/threshold.h"
#include "windows/delta_window.h"

namespace fleetward::detect {
namespace {

using model::BuiltinMetric;
using model::ValueKind;

Feed FeedOf(const model::MetricInfo& info) {
  switch (info.id) {
    case BuiltinMetric::kMessageByteSize: return Feed::kSizes;
    case BuiltinMetric::kSourceIpAddress: return Feed::kAddresses;
    case BuiltinMetric::kDisconnectDuration: return Feed::kOffline;
    case BuiltinMetric::kReportSilence: return Feed::kSilence;
    case BuiltinMetric::kListeningTcpPorts: return Feed::kTcpPorts;
    case BuiltinMetric::kListeningUdpPorts: return Feed::kUdpPorts;
    case BuiltinMetric::kDestinationIpAddresses: return Feed::kRemotes;
    default: break;
  }
  if (info.side == model::MetricSide::kCloud) return Feed::kPanes;
  return info.delta ? Feed::kDelta : Feed::kCount;
}

/// Fills feed, metric and kind; false when the metric does not exist.
bool FindMetric(const std::string& name, const CustomMetrics& custom, CompiledBehavior& code) {
  if (const model::MetricInfo* info = model::FindBuiltinMetric(name)) {
    code.feed = FeedOf(*info);
    code.metric = info->id;
    code.kind = info->kind;
    code.layout = model::IdOf(info->id);
    return true;
  }
  auto at = custom.find(name);
  if (at == custom.end()) return false;
  code.feed = Feed::kCustom;
  code.custom_name = name;
  code.kind = model::KindOf(at->second.type);
  code.layout = at->second.id;
  return true;
}

bool IsList(ValueKind kind) { return kind != ValueKind::kCount && kind != ValueKind::kNumber; }

/// Whether the static value can be compared with values of this kind at all.
bool ValueFits(const model::MetricValue& value, ValueKind kind) {
  switch (kind) {
    case ValueKind::kCount:
    case ValueKind::kNumber:
      return std::holds_alternative<model::Count>(value) || std::holds_alternative<model::Number>(value);
    case ValueKind::kCidrs: return std::holds_alternative<model::Cidrs>(value);
    case ValueKind::kPorts: return std::holds_alternative<model::Ports>(value);
    case ValueKind::kNumbers: return std::holds_alternative<model::Numbers>(value);
    case ValueKind::kStrings: return std::holds_alternative<model::Strings>(value);
  }
  return false;
}

/// False when the criteria cannot be judged.
bool CompileStatistic(const model::BehaviorCriteria& criteria, const Options& options, CompiledBehavior& code) {
  auto percentile = ParsePercentile(*criteria.statistic);
  if (code.feed == Feed::kOffline || code.feed == Feed::kSilence) return false;
  if (!percentile || !criteria.comparison_operator || IsList(code.kind) ||
      *criteria.comparison_operator > model::ComparisonOperator::kGreaterThanEquals) {
    return false;
  }
  // The statistical form compares the bytes of the window (detect.md §2).
  if (code.feed == Feed::kSizes) code.feed = Feed::kPanes;
  code.percentile = *percentile;
  code.op = *criteria.comparison_operator;
  code.upper = code.op <= model::ComparisonOperator::kLessThanEquals;
  code.digest = model::ViolatedByMost(criteria);
  code.needed_ms = std::int64_t{criteria.duration_seconds.value_or(options.bucket_seconds)} * 1000;
  PaneLayout layout = PaneLayout::Of(code.needed_ms, std::int64_t{options.bucket_seconds} * 1000);
  code.length_ms = layout.panes * layout.pane_ms;
  return true;
}

/// Datapoints are those of a bucket's length (detect.md §3); durationSeconds means nothing.
bool CompileModel(const model::BehaviorCriteria& criteria, const Options& options, CompiledBehavior& code) {
  if (IsList(code.kind) || code.feed == Feed::kOffline || code.feed == Feed::kSilence) return false;
  code.confidence = *criteria.ml_confidence;
  code.needed_ms = code.length_ms = std::int64_t{options.bucket_seconds} * 1000;
  return true;
}

CompiledBehavior Compile(const model::Behavior& behavior, std::int64_t version, const CustomMetrics& custom,
                         const Options& options) {
  CompiledBehavior code;
  code.definition_version = version;
  if (!behavior.criteria || !behavior.metric) return code;
  const model::BehaviorCriteria& criteria = *behavior.criteria;
  code.to_alarm = criteria.consecutive_datapoints_to_alarm.value_or(1);
  code.to_clear = criteria.consecutive_datapoints_to_clear.value_or(1);
  if (!FindMetric(*behavior.metric, custom, code)) {
    code.idle = Verdict::kMetricUnknown;
    return code;
  }
  code.type = criteria.type();
  if (code.type == model::CriteriaType::kStatistical && CompileStatistic(criteria, options, code)) return code;
  if (code.type == model::CriteriaType::kMachineLearning && CompileModel(criteria, options, code)) return code;
  bool judged = code.type == model::CriteriaType::kStatic && criteria.comparison_operator &&
                ValueFits(criteria.value, code.kind) &&
                IsList(code.kind) == (*criteria.comparison_operator > model::ComparisonOperator::kGreaterThanEquals);
  if (!judged) {
    code.idle = Verdict::kNotJudged;
    code.feed = Feed::kNever;
    return code;
  }
  code.criteria = StaticCriteria(criteria);
  // Only windows have a duration; for other metrics it is accepted and means nothing (detect.md §1).
  if (code.feed == Feed::kDelta || code.feed == Feed::kPanes) {
    code.needed_ms = std::int64_t{criteria.duration_seconds.value_or(options.bucket_seconds)} * 1000;
  } else if (code.feed == Feed::kSizes || code.feed == Feed::kAddresses) {
    code.needed_ms = std::int64_t{options.bucket_seconds} * 1000;
  }
  return code;
}

/// Collects behaviors by what they look at.
class Builder {
 public:
  explicit Builder(Plan& plan) : plan_(plan) {}

  void Add(const PlanBehavior& behavior) {
    auto index = static_cast<std::uint16_t>(plan_.behaviors.size());
    plan_.behaviors.push_back(behavior);
    if (behavior.code->feed != Feed::kNever && behavior.code->type == model::CriteriaType::kStatistical) {
      plan_.behaviors.back().statistic = static_cast<std::int32_t>(plan_.statistics.size());
      plan_.statistics.push_back({index, 0});
    }
    if (behavior.code->feed != Feed::kNever && behavior.code->type == model::CriteriaType::kMachineLearning) {
      plan_.behaviors.back().model = static_cast<std::int32_t>(plan_.models.size());
      plan_.models.push_back({index, 0});
    }
    if (behavior.code->feed != Feed::kNever && behavior.code->type != model::CriteriaType::kStatic) {
      plan_.behaviors.back().population = static_cast<std::int32_t>(plan_.compared.size());
      plan_.compared.push_back(index);
    }
    switch (behavior.code->feed) {
      case Feed::kNever: break;
      case Feed::kCount: plan_.counts.push_back(index); break;
      case Feed::kTcpPorts: plan_.tcp_ports.push_back(index); break;
      case Feed::kUdpPorts: plan_.udp_ports.push_back(index); break;
      case Feed::kRemotes: plan_.remotes.push_back(index); break;
      case Feed::kOffline: plan_.offline.push_back(index); break;
      case Feed::kCustom: AddCustom(behavior, index); break;
      case Feed::kDelta: AddWindow(plan_.deltas, behavior, index); break;
      case Feed::kPanes:
      case Feed::kSizes:
      case Feed::kAddresses:
      case Feed::kSilence: AddWindow(plan_.buckets, behavior, index); break;
    }
  }

  void LayOut(std::int64_t bucket_ms) {
    std::size_t bytes = plan_.behaviors.size() * sizeof(BehaviorState);
    for (PlanStatistic& statistic : plan_.statistics) {
      statistic.offset = static_cast<std::uint32_t>(bytes);
      bytes += sizeof(StatisticState);
    }
    for (PlanModel& model : plan_.models) {
      model.offset = static_cast<std::uint32_t>(bytes);
      bytes += sizeof(ModelState);
    }
    for (PlanWindow& window : plan_.deltas) Place(window, sizeof(DeltaWindow), bytes);
    for (PlanWindow& window : plan_.buckets) {
      if (window.feed == Feed::kPanes) {
        window.layout = PaneLayout::Of(window.needed_ms, bucket_ms);
        Place(window, sizeof(PaneWindow) + static_cast<std::size_t>(window.layout.panes) * 8, bytes);
      } else {
        std::size_t size = window.feed == Feed::kSizes ? sizeof(SizeWindow)
                           : window.feed == Feed::kSilence ? sizeof(SilenceWindow)
                                                           : 0;
        Place(window, size, bytes);
      }
    }
    plan_.state_bytes = static_cast<std::uint32_t>(bytes);
  }

 private:
  static void Place(PlanWindow& window, std::size_t size, std::size_t& bytes) {
    window.offset = static_cast<std::uint32_t>(bytes);
    bytes += size;
  }

  void AddCustom(const PlanBehavior& behavior, std::uint16_t index) {
    for (Plan::Custom& custom : plan_.customs) {
      if (*custom.name == behavior.code->custom_name) return custom.behaviors.push_back(index);
    }
    plan_.customs.push_back({&behavior.code->custom_name, behavior.code->kind, {index}});
  }

  static void AddWindow(std::vector<PlanWindow>& windows, const PlanBehavior& behavior, std::uint16_t index) {
    PlanWindow window;
    window.feed = behavior.code->feed;
    window.metric = behavior.code->metric;
    window.dimension = behavior.definition->dimension ? &*behavior.definition->dimension : nullptr;
    window.needed_ms = behavior.code->needed_ms;
    for (PlanWindow& known : windows) {
      if (known.Key() == window.Key()) return known.behaviors.push_back(index);
    }
    window.behaviors = {index};
    windows.push_back(std::move(window));
  }

  Plan& plan_;
};

std::string Signature(const Plan& plan) {
  std::string text;
  ByteWriter out(text);
  for (const PlanBehavior& behavior : plan.behaviors) {
    out.Bytes(behavior.profile->config.profile.name.value());
    out.Bytes(behavior.definition->name.value());
    out.SignedVarint(behavior.code->definition_version);
    out.U8(static_cast<std::uint8_t>(behavior.code->feed));
    out.U8(static_cast<std::uint8_t>(behavior.code->type));
    out.Varint(behavior.code->layout);
    out.Varint(static_cast<std::uint64_t>(behavior.code->needed_ms));
    out.U8(behavior.definition->dimension ? 1 + static_cast<std::uint8_t>(behavior.definition->dimension->op) : 0);
    if (behavior.definition->dimension) out.Bytes(behavior.definition->dimension->dimension_name.value());
  }
  return text;
}

std::uint64_t Fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

std::shared_ptr<const CompiledProfile> CompileProfile(ProfileConfig config, const CustomMetrics& custom,
                                                      const Options& options) {
  auto compiled = std::make_shared<CompiledProfile>();
  config.definition_versions.resize(config.profile.behaviors.size(), config.profile.version);
  compiled->config = std::move(config);
  for (std::size_t i = 0; i < compiled->config.profile.behaviors.size(); ++i) {
    compiled->behaviors.push_back(Compile(compiled->config.profile.behaviors[i], compiled->config.definition_versions[i],
                                          custom, options));
  }
  return compiled;
}

std::shared_ptr<const Plan> MakePlan(std::vector<std::shared_ptr<const CompiledProfile>> profiles,
                                     const Options& options) {
  constexpr std::size_t kMaxBehaviors = 60'000;  // indices have 16 bits; quotas keep it far below
  auto plan = std::make_shared<Plan>();
  plan->profiles = std::move(profiles);
  Builder builder(*plan);
  for (const auto& profile : plan->profiles) {
    for (std::size_t i = 0; i < profile->behaviors.size() && plan->behaviors.size() < kMaxBehaviors; ++i) {
      builder.Add({profile.get(), &profile->behaviors[i], &profile->config.profile.behaviors[i]});
    }
  }
  builder.LayOut(std::int64_t{options.bucket_seconds} * 1000);
  plan->signature = Signature(*plan);
  plan->signature_hash = Fnv1a(plan->signature);
  return plan;
}

bool Covers(const ProfileConfig& config, bool registered, const std::vector<std::string>& groups) {
  return CoveringTarget(config, registered, groups) != nullptr;
}

const model::ProfileTarget* CoveringTarget(const ProfileConfig& config, bool registered,
                                           const std::vector<std::string>& groups) {
  using Kind = model::ProfileTarget::Kind;
  auto covers = [&](const model::ProfileTarget& target) {
    switch (target.kind) {
      case Kind::kAllThings: return true;
      case Kind::kAllRegistered: return registered;
      case Kind::kAllUnregistered: return !registered;
      case Kind::kThingGroup: return std::binary_search(groups.begin(), groups.end(), target.group.value());
    }
    return false;
  };
  const model::ProfileTarget* best = nullptr;
  for (const model::ProfileTarget& target : config.targets) {
    if (!covers(target)) continue;
    bool better = !best || target.kind > best->kind ||
                  (target.kind == best->kind && target.group.value() < best->group.value());
    if (better) best = &target;
  }
  return best;
}

}  // namespace fleetward::detect
