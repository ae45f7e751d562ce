// The detection engine of one shard: configuration and events in, decisions out. Pure: no I/O, no clock, no locks, no
// randomness; the same calls give the same decisions, and a restored engine goes on byte for byte. One thread.
//
// Order of calls is log order. Times must not be far behind the watermark: what is behind is late (D6).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/id_table.h"
#include "fleetward/base/result.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/events.h"
#include "fleetward/detect/ml.h"
#include "fleetward/detect/sink.h"
#include "fleetward/detect/window_summary.h"

namespace fleetward::detect {

struct EngineStats {
  std::uint64_t things = 0;
  std::uint64_t unregistered_things = 0;
  std::uint64_t ignored_names = 0;         // events of names beyond Options::max_unregistered_things
  std::uint64_t plans = 0;                 // distinct sets of profiles in use
  std::uint64_t alarms = 0;                // on now, those in storms included
  std::uint64_t late_values = 0;           // late reports and counts, not judged
  std::uint64_t evaluations = 0;           // behaviors judged
  std::uint64_t state_bytes = 0;           // per-thing state, without configuration
};

/// How far the models of an ML behavior are (GetBehaviorModelTrainingSummaries).
struct TrainingSummary {
  model::SecurityProfileName profile;
  model::BehaviorName behavior;
  ml::ModelStatus status = ml::ModelStatus::kPendingBuild;   // active when any thing's model judges
  double collected_percent = 0;              // mean over the things
  std::optional<Timestamp> started;          // first value learned
  std::optional<Timestamp> refreshed;        // last one, once a model is active
};

class Engine {
 public:
  /// `sink` must outlive the engine.
  Engine(const Options& options, DecisionSink& sink);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // --- configuration; `time` is the event time of the change and of the invalidations it causes. Idempotent. A change
  // of a profile or metric costs a visit to each thing it covers.

  /// Creates or replaces the profile of this name, its behaviors and its targets.
  void SetProfile(const ProfileConfig& config, Timestamp time);
  void RemoveProfile(const model::SecurityProfileName& name, Timestamp time);
  void SetCustomMetric(const CustomMetricConfig& config, Timestamp time);
  void RemoveCustomMetric(const model::CustomMetricName& name, Timestamp time);
  /// Creates a thing or changes its groups. Name and entity belong together for ever (D9).
  void SetThing(const ThingConfig& config, Timestamp time);
  void RemoveThing(const model::EntityId& entity, Timestamp time);

  // --- events

  /// The thing will have an event soon: a hint that changes nothing. In order of Ahead, some events apart.
  void Prefetch(const model::EntityId& entity, Ahead ahead) const;
  void OnReport(const ReportEvent& event);
  void OnCounts(const CountsEvent& event);
  void OnConnection(const ConnectionEvent& event);
  /// The broker is gone and every connection with it.
  void OnAllDisconnected(Timestamp time);
  /// The edge's wall clock stepped (D1): later times are `step_ms` (of either sign) off from earlier ones. Durations
  /// are carried over; buckets cut by the step are not judged, except for broken upper limits.
  void OnClockStep(std::int64_t step_ms, Timestamp after);
  /// No event with an earlier time will come (D2). Closes buckets, ends windows, times silence out. Each second.
  void OnWatermark(Timestamp time);

  // --- windows of statistical behaviors

  /// What this engine's things did in the windows that the last watermarks closed, in order of their keys; the same
  /// until OnWindowSummary answers. To be merged over all shards and given back before the next event.
  std::vector<WindowSummary> PendingSummaries() const;
  bool AwaitsSummaries() const;
  /// The sum over all shards: the threshold of the next window. Of another definition than now: passed over.
  void OnWindowSummary(const WindowSummary& merged);

  /// What a user says of an alarm (PutVerificationStateOnViolation). A confirmed false positive of an ML behavior makes
  /// the thing's model demand more of the same cause. True when a model took notice.
  bool OnVerification(const model::EntityId& entity, const model::ViolationId& violation,
                      model::VerificationState verified);

  // --- questions

  /// One entry for each behavior of the profiles that cover the thing; empty for a thing without any, or unknown.
  std::vector<BehaviorExplanation> Explain(const model::EntityId& entity) const;
  bool Knows(const model::EntityId& entity) const;
  /// Whether a profile covers a thing that is known.
  bool IsCovered(const model::EntityId& entity, std::string_view profile) const;
  Timestamp watermark() const;
  EngineStats stats() const;
  /// One for each ML behavior, over all shards, as of the last bucket's end.
  std::vector<TrainingSummary> TrainingSummaries() const;
  /// "profile/behavior" of behaviors whose alerts go out as one digest for each window (WindowDigest).
  std::vector<std::string> DigestBehaviors() const;

  // --- state. Each slab's state is current as of some log position of its own (a fuzzy checkpoint), so slabs may be
  // saved at different times. To restore into a new engine: LoadConfig and LoadCursor with what was saved at the replay's
  // start, then the log; each slab enters (LoadSlab) right after the position it was saved at, and gets no events from
  // before. Configuration records of the log are simply applied again. So what one slab's things decide may depend on
  // other slabs only as storms do: SetPosition before each record, each slab's raises saved with it, and given to
  // HoldRaises before the replay if the slab enters later.

  std::uint32_t SlabOf(const model::EntityId& entity) const;
  /// Slabs that changed since the last call, ascending. Watermarks and configuration change slabs too.
  std::vector<std::uint32_t> TakeChangedSlabs();
  /// Appends the state of a slab; nothing for a slab without things.
  void SaveSlab(std::uint32_t slab, std::string& out) const;
  /// Puts back a slab of the same configuration as now. kCorrupt when the bytes make no sense or were saved under
  /// another configuration.
  Status LoadSlab(std::uint32_t slab, std::string_view bytes);

  /// Log position of the calls that follow.
  void SetPosition(std::uint64_t position);
  /// Appends the slab's new alarms behind the position given to ForgetRaises last.
  void SaveRaises(std::uint32_t slab, std::string& out) const;
  /// `base`: where the replay begins. Errors: kCorrupt.
  Status HoldRaises(std::uint32_t slab, std::uint64_t base, std::string_view bytes);
  /// No replay will begin before `position`.
  void ForgetRaises(std::uint64_t position);

  /// Profiles and custom metrics. Things are in their slabs.
  std::string SaveConfig() const;
  Status LoadConfig(std::string_view bytes);
  /// Watermark and storms; small.
  std::string SaveCursor() const;
  Status LoadCursor(std::string_view bytes);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::detect
