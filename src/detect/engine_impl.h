// The engine's inside. Its parts: engine_config.cc (profiles, things, plans), engine_reports.cc (device-side metrics),
// engine_buckets.cc (cloud-side metrics, time), engine_decide.cc (datapoints to decisions), engine_statistics.cc
// (statistical behaviors), engine_models.cc (ML behaviors), engine_explain.cc,
// engine_state.cc (checkpoints).
#pragma once

#include <bit>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alarm/storm.h"
#include "fleetward/base/id_table.h"
#include "fleetward/detect/engine.h"
#include "plan/plan.h"
#include "state/thing.h"

namespace fleetward::detect {

inline constexpr std::int64_t kUnset = INT64_MIN;
inline constexpr std::int64_t kSilenceSeconds = 2 * 24 * 3600;   // detect.md §4
inline constexpr std::int64_t kUnobservedMs = 10'000;            // least jump of the watermark that is a gap
inline constexpr std::size_t kMaxSources = 32;                   // source addresses kept of one bucket and thing

/// Counts of a bucket that is not open yet, owned.
struct PendingCounts {
  model::EntityId entity;
  std::string name;
  std::int64_t time_ms = 0;
  bool connected = false;
  struct Deltas {
    CounterDeltas numbers;             // source_ips unused
    std::vector<model::IpAddress> source_ips;
  };
  Deltas deltas;
  struct Dimension {
    std::string name;
    model::DimensionOperator op{};
    Deltas deltas;
  };
  std::vector<Dimension> dimensions;
};

/// Addresses of the open bucket, by thing and dimension ("" or "IN:name").
using SourceKey = std::pair<model::EntityId, std::string>;
using Sources = std::map<SourceKey, std::vector<model::IpAddress>>;

struct Slab {
  std::vector<Thing*> things;
  std::int64_t boundary_ms = kUnset;   // end of the open bucket
  std::map<std::int64_t, std::vector<PendingCounts>> pending;  // by start of bucket
  Sources sources;
};

/// One evaluation's figures, before anything is made a text.
struct Observation {
  std::int64_t time_ms = 0;
  Verdict verdict = Verdict::kConforming;
  std::uint64_t last = 0;              // for BehaviorState::last
  Cause cause = Cause::kDatapoints;
  std::int64_t window_start_ms = 0, window_end_ms = 0, covered_ms = 0;
  bool scaled = false;
  ListFinding list;
};

/// A numeric value of a metric: a count, or a custom number.
class NumericValue {
 public:
  NumericValue(std::int64_t count) : count_(count) {}
  NumericValue(double number) : is_number_(true), number_(number) {}
  bool negative() const { return is_number_ ? number_ < 0 : count_ < 0; }
  ValueKey key() const { return is_number_ ? KeyOf(number_) : KeyOf(count_); }
  /// For BehaviorState::last.
  std::uint64_t last() const {
    return is_number_ ? std::bit_cast<std::uint64_t>(number_) : static_cast<std::uint64_t>(count_);
  }
  bool Satisfies(const NumericLimit& limit) const { return is_number_ ? limit.Holds(number_) : limit.Holds(count_); }

 private:
  bool is_number_ = false;
  std::int64_t count_ = 0;
  double number_ = 0;
};

/// The port or IPv4 address that a ListSummary keeps of what was on the wrong side, as text; or empty.
std::string ListExample(const PlanBehavior& behavior, std::uint64_t last);

class Engine::Impl {
 public:
  Impl(const Options& options, DecisionSink& sink);
  ~Impl();

  // engine_config.cc
  void SetProfile(const ProfileConfig& config, Timestamp time);
  void RemoveProfile(const model::SecurityProfileName& name, Timestamp time);
  void SetCustomMetric(const CustomMetricConfig& config, Timestamp time);
  void RemoveCustomMetric(const model::CustomMetricName& name, Timestamp time);
  void SetThing(const ThingConfig& config, Timestamp time);
  void RemoveThing(const model::EntityId& entity, Timestamp time);

  // engine_reports.cc
  void OnReport(const ReportEvent& event);
  void Prefetch(const model::EntityId& entity, Ahead ahead) const;

  // engine_buckets.cc
  void OnCounts(const CountsEvent& event);
  void OnConnection(const ConnectionEvent& event);
  void OnAllDisconnected(Timestamp time);
  void OnClockStep(std::int64_t step_ms, Timestamp after);
  void OnWatermark(Timestamp time);

  // engine_statistics.cc
  std::vector<WindowSummary> PendingSummaries() const;
  bool AwaitsSummaries() const;
  void OnWindowSummary(const WindowSummary& merged);

  // engine_models.cc
  bool OnVerification(const model::EntityId& entity, const model::ViolationId& violation,
                      model::VerificationState verified);
  std::vector<TrainingSummary> TrainingSummaries() const;

  // engine_explain.cc
  std::vector<BehaviorExplanation> Explain(const model::EntityId& entity) const;
  bool IsCovered(const model::EntityId& entity, std::string_view profile) const;
  EngineStats stats() const;
  std::vector<std::string> DigestBehaviors() const;

  // engine_state.cc
  std::uint32_t SlabOf(const model::EntityId& entity) const;
  std::vector<std::uint32_t> TakeChangedSlabs();
  void SaveSlab(std::uint32_t slab, std::string& out) const;
  Status LoadSlab(std::uint32_t slab, std::string_view bytes);
  void SetPosition(std::uint64_t position) { storms_.SetPosition(position); }
  void SaveRaises(std::uint32_t slab, std::string& out) const;
  Status HoldRaises(std::uint32_t slab, std::uint64_t base, std::string_view bytes);
  void ForgetRaises(std::uint64_t position) { storms_.Forget(position); }
  std::string SaveConfig() const;
  Status LoadConfig(std::string_view bytes);
  std::string SaveCursor() const;
  Status LoadCursor(std::string_view bytes);

  const Thing* Find(const model::EntityId& entity) const { return table_.Find(entity); }
  std::int64_t watermark_ms() const { return watermark_ms_; }

 private:
  // engine_config.cc
  Thing* FindOrCreate(const ThingRef& ref);
  Thing* Create(const model::EntityId& entity, std::string_view name, Cohort* cohort);
  void Discard(Thing* thing);
  Cohort* CohortOf(bool registered, std::vector<std::string> groups);
  std::shared_ptr<const Plan> PlanFor(const Cohort& cohort);
  void Recompile();
  void Replan(Timestamp time);
  std::unique_ptr<Migration> MakeMigration(const Cohort& cohort, std::shared_ptr<const Plan> from,
                                           std::shared_ptr<const Plan> to) const;
  Thing* Migrate(Thing* thing, const Migration& migration, Timestamp time);
  void Release(Cohort* cohort);
  void RefreshPopulations();
  void JoinPopulations(Cohort& cohort);
  void LeavePopulations(Thing& thing, const std::vector<std::uint16_t>& statistics);

  // engine_reports.cc
  void JudgeReport(Thing& thing, const ReportEvent& event);
  void JudgeDeltas(Thing& thing, const ReportEvent& event, std::int64_t elapsed_ms, bool first, bool gap);
  void CloseDelta(Thing& thing, const PlanWindow& window, const DeltaWindow::Closed& closed, std::int64_t time_ms);
  void EarlyDelta(Thing& thing, const PlanWindow& window, const DeltaWindow& state, std::int64_t time_ms);
  void JudgeCustom(Thing& thing, const Plan::Custom& custom, const report::CustomMetrics::View& value,
                   std::int64_t time_ms);
  void MarkLate(Thing& thing);

  // engine_buckets.cc
  void AddCounts(const CountsEvent& event, std::int64_t boundary_ms);
  void AddToPanes(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas, bool seen, std::int64_t time_ms);
  void AddToSizes(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas, bool seen, std::int64_t time_ms);
  void AddToSources(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas, std::int64_t time_ms);
  void ClosePanes(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms);
  void CloseSizes(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms);
  void CloseSources(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms);
  void JudgeSize(Thing& thing, std::uint16_t index, const SizeWindow& state, const Observation& frame);
  void JudgeOffline(Thing& thing, std::int64_t time_ms);
  void JudgeSilence(Thing& thing, const PlanWindow& window, std::int64_t time_ms);
  void CloseBucket(Slab& slab);
  void CloseThing(Thing& thing, std::int64_t boundary_ms);
  void BreakWindows(Slab& slab);
  void MarkSeen(Thing& thing);
  void TimeOutAlarms(Thing& thing, std::int64_t boundary_ms);
  bool IsForgotten(const Thing& thing, std::int64_t boundary_ms) const;
  std::int64_t BucketMs() const { return std::int64_t{options_.bucket_seconds} * 1000; }
  std::int64_t FloorBucket(std::int64_t ms) const;
  Slab& SlabFor(const Thing& thing) { return slabs_[thing.slab]; }
  void MarkChanged(const Thing& thing) { changed_[thing.slab] = 1; }
  void MarkChanged(const Slab& slab) { changed_[static_cast<std::size_t>(&slab - slabs_.data())] = 1; }

  // engine_statistics.cc
  Population& PopulationOf(const Thing& thing, std::uint16_t index) const;
  /// The limit for this thing at this moment; nothing when none is decided (and why).
  std::optional<NumericLimit> LimitOf(const Thing& thing, std::uint16_t index, std::int64_t time_ms,
                                      Verdict* why_not = nullptr) const;
  void JudgeStatistic(Thing& thing, std::uint16_t index, const Observation& seen, const NumericValue& value);
  /// Of a behavior that is not static; seen.verdict and seen.last are not looked at.
  void JudgeKind(Thing& thing, std::uint16_t index, const Observation& seen, const NumericValue& value);
  void EarlyStatistic(Thing& thing, std::uint16_t index, Observation seen, std::int64_t sum);
  void CloseStatistics(Thing& thing, std::int64_t boundary_ms);
  void CloseWindows(std::int64_t before_ms);
  void ShiftPopulations();
  void BoundStatistic(const Thing& thing, std::uint16_t index, StatisticState& state, std::int64_t time_ms) const;
  /// `in_alarm`: before the decision.
  std::optional<Expectation> ExpectationOf(const Thing& thing, std::uint16_t index, std::int64_t time_ms,
                                           bool in_alarm) const;

  // engine_models.cc
  ModelState& ModelOf(Thing& thing, std::uint16_t index);
  const ModelState& ModelOf(const Thing& thing, std::uint16_t index) const;
  static ml::Alarm AlarmOf(const Thing& thing);
  void JudgeModel(Thing& thing, std::uint16_t index, Observation seen, const NumericValue& value);
  Expectation ModelExpectation(const Thing& thing, std::uint16_t index) const;
  void CloseModels(Thing& thing, std::int64_t boundary_ms);

  // engine_state.cc
  Status ReadSlab(std::uint32_t slab, std::string_view bytes);
  Status ReadThing(ByteReader& in, std::uint32_t slab,
                   const std::vector<std::pair<bool, std::vector<std::string>>>& cohorts,
                   const std::vector<std::uint64_t>& signatures);

  /// What every datapoint leaves behind.
  void Note(BehaviorState& state, std::int64_t time_ms, Verdict verdict, std::uint64_t last) {
    ++stats_.evaluations;
    state.verdict = verdict;
    state.last = last;
    state.flags |= BehaviorState::kHasValue;
    state.last_seen_s = static_cast<std::uint32_t>(time_ms / 1000);
  }
  /// Nearly all datapoints conform while no alarm is on. False: it is another one, and nothing was done.
  bool Settle(BehaviorState& state, std::int64_t time_ms, bool holds, std::uint64_t last) {
    if (!holds || state.in_alarm()) return false;
    Note(state, time_ms, Verdict::kConforming, last);
    state.Conforming(1, false);
    return true;
  }

  // engine_decide.cc. `value()` makes the MetricValue; it is called only when somebody wants it.
  template <class MakeValue>
  void Datapoint(Thing& thing, std::uint16_t index, const Observation& seen, MakeValue value);
  template <class MakeValue>
  void JudgeList(Thing& thing, std::uint16_t index, const ListFinding& finding, std::uint32_t example,
                 std::int64_t time_ms, MakeValue value);
  void Act(Thing& thing, std::uint16_t index, Transition transition, const Observation& seen,
           const model::MetricValue& value);
  void Raise(Thing& thing, std::uint16_t index, const Observation& seen, const model::MetricValue& value);
  void Clear(Thing& thing, std::uint16_t index, const Observation& seen, const model::MetricValue& value);
  void Invalidate(Thing& thing, std::uint16_t index, const Plan& plan, Cause cause, Timestamp time);
  Decision MakeDecision(const Thing& thing, const PlanBehavior& behavior, const BehaviorState& state,
                        model::ViolationEventType type, Cause cause, Timestamp time) const;

  const Options options_;
  DecisionSink& sink_;
  StormLimiter storms_;
  CustomMetrics customs_;
  std::map<std::string, std::shared_ptr<const CompiledProfile>> profiles_;
  std::map<std::vector<std::string>, std::shared_ptr<const Plan>> plans_;   // by names of profiles
  std::map<std::pair<bool, std::vector<std::string>>, std::unique_ptr<Cohort>> cohorts_;
  Populations populations_;
  BlockPool pool_;                      // of the things
  IdTable<Thing> table_;
  std::vector<Slab> slabs_;
  std::vector<std::uint8_t> changed_;   // by slab; apart, because every event looks at it
  std::int64_t watermark_ms_ = kUnset;
  std::uint64_t unregistered_ = 0;
  std::uint64_t alarms_ = 0;
  EngineStats stats_;
};

template <class MakeValue>
void Engine::Impl::Datapoint(Thing& thing, std::uint16_t index, const Observation& seen, MakeValue value) {
  BehaviorState& state = thing.behavior(index);
  const CompiledBehavior& code = *thing.plan().behaviors[index].code;
  Note(state, seen.time_ms, seen.verdict, seen.last);
  Transition transition = seen.verdict == Verdict::kViolating
                              ? state.Violating(seen.time_ms, code.to_alarm)
                              : state.Conforming(code.to_clear, seen.verdict == Verdict::kEmptyList);
  if (transition != Transition::kNone) Act(thing, index, transition, seen, value());
}

template <class MakeValue>
void Engine::Impl::JudgeList(Thing& thing, std::uint16_t index, const ListFinding& finding, std::uint32_t example,
                             std::int64_t time_ms, MakeValue value) {
  constexpr std::uint32_t kCap = 65535;
  ListSummary summary{static_cast<std::uint16_t>(finding.elements < kCap ? finding.elements : kCap),
                      static_cast<std::uint16_t>(finding.offending < kCap ? finding.offending : kCap), example};
  auto last = std::bit_cast<std::uint64_t>(summary);
  bool holds = finding.elements != 0 && finding.offending == 0;
  if (Settle(thing.behavior(index), time_ms, holds, last)) return;
  Observation seen;
  seen.time_ms = seen.window_start_ms = seen.window_end_ms = time_ms;
  seen.verdict = finding.elements == 0    ? Verdict::kEmptyList
                 : finding.offending != 0 ? Verdict::kViolating
                                          : Verdict::kConforming;
  if (seen.verdict == Verdict::kEmptyList) seen.cause = Cause::kEmptyList;
  seen.last = last;
  seen.list = finding;
  Datapoint(thing, index, seen, value);
}

}  // namespace fleetward::detect
