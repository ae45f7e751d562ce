// The detection engine of one shard: configuration and events in, decisions out. Pure: no I/O, no clock, no locks, no
// randomness; the same calls give the same decisions, and a restored engine goes on byte for byte. One thread.
//
// Order of calls is log order. Times must not be far behind the watermark: what is behind is late (D6).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/detect/config.h"
#include "fleetward/detect/events.h"
#include "fleetward/detect/sink.h"

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

  // --- questions

  /// One entry for each behavior of the profiles that cover the thing; empty for a thing without any, or unknown.
  std::vector<BehaviorExplanation> Explain(const model::EntityId& entity) const;
  bool Knows(const model::EntityId& entity) const;
  Timestamp watermark() const;
  EngineStats stats() const;

  // --- state. A checkpoint is: SaveCursor, SaveConfig when config_dirty, SaveSlab of each dirty slab. All of one
  // checkpoint must be stored in one atomic batch. Restore into a new engine: LoadConfig, LoadCursor, every LoadSlab.

  /// Things in one slab.
  static constexpr std::uint32_t kSlabThings = 256;

  bool config_dirty() const;
  std::string SaveConfig() const;
  /// Watermark, storms and what else is not a thing's; small.
  std::string SaveCursor() const;
  /// Slabs in use are 0 to slab_count() - 1.
  std::uint32_t slab_count() const;
  /// Slabs changed since MarkClean, ascending.
  std::vector<std::uint32_t> DirtySlabs() const;
  std::string SaveSlab(std::uint32_t slab) const;
  /// What was saved is stored: forgets the marks. For checkpoints taken slab by slab there is MarkSlabClean.
  void MarkClean();
  void MarkSlabClean(std::uint32_t slab);

  /// kCorrupt when the bytes make no sense, kInvalidArgument when the options differ in a way that state depends on.
  Status LoadConfig(std::string_view bytes);
  Status LoadCursor(std::string_view bytes);
  Status LoadSlab(std::uint32_t slab, std::string_view bytes);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::detect
