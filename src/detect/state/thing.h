// One thing's state: a single block of memory, so that a report touches few cache lines. Head, then the name (padded to
// 8 bytes), then the state of its plan's behaviors and windows.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alarm/behavior_state.h"
#include "fleetward/base/id_table.h"
#include "fleetward/model/names.h"
#include "plan/plan.h"
#include "state/block_pool.h"
#include "state/model_state.h"
#include "statistical/population.h"
#include "statistical/statistic_state.h"
#include "windows/bucket_window.h"
#include "windows/delta_window.h"

namespace fleetward::detect {

/// How one plan's state goes over into another's, by index; -1: starts anew.
struct Migration {
  std::shared_ptr<const Plan> from;
  std::shared_ptr<const Plan> to;
  std::vector<std::int32_t> behaviors, deltas, buckets, statistics, models;   // of `to`: index in `from`
  std::vector<std::pair<std::uint16_t, Cause>> dropped;   // of `from`
};

/// Things with the same groups and the same kind of registration.
struct Cohort {
  bool registered = false;
  std::vector<std::string> groups;   // sorted
  std::uint64_t things = 0;
  std::shared_ptr<const Plan> plan;
  std::vector<Population*> populations;  // of plan->compared
  std::unique_ptr<Migration> migration;  // while a change of configuration is carried out
  std::vector<std::uint16_t> left;       // likewise: statistics of the plan that are now compared with other things
};

struct Thing {
  static constexpr std::uint8_t kConnectionKnown = 1;
  static constexpr std::int64_t kNever = INT64_MIN;

  model::EntityId entity;
  std::int64_t last_report_ms = kNever;
  std::int64_t offline_since_ms = 0;   // kConnectionKnown and no connections
  Cohort* cohort = nullptr;
  std::uint32_t interval_ms = 0;       // between reports; 0: unknown
  std::uint32_t last_active_s = 0;     // any event
  std::uint32_t index = 0;             // in its slab
  std::uint16_t slab = 0;
  std::uint16_t alarms = 0;            // on now
  std::uint16_t name_size = 0;
  std::uint16_t connections = 0;
  std::uint8_t flags = 0;
  std::uint8_t reserved[3] = {};

  const Plan& plan() const { return *cohort->plan; }
  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  char* state() { return reinterpret_cast<char*>(this + 1) + Padded(name_size); }
  const char* state() const { return reinterpret_cast<const char*>(this + 1) + Padded(name_size); }
  BehaviorState& behavior(std::size_t i) { return reinterpret_cast<BehaviorState*>(state())[i]; }
  const BehaviorState& behavior(std::size_t i) const { return reinterpret_cast<const BehaviorState*>(state())[i]; }
  ModelState& At(const PlanModel& model) { return *reinterpret_cast<ModelState*>(state() + model.offset); }
  const ModelState& At(const PlanModel& model) const {
    return *reinterpret_cast<const ModelState*>(state() + model.offset);
  }
  StatisticState& At(const PlanStatistic& statistic) {
    return *reinterpret_cast<StatisticState*>(state() + statistic.offset);
  }
  const StatisticState& At(const PlanStatistic& statistic) const {
    return *reinterpret_cast<const StatisticState*>(state() + statistic.offset);
  }
  template <class T>
  T& At(const PlanWindow& window) {
    return *reinterpret_cast<T*>(state() + window.offset);
  }
  template <class T>
  const T& At(const PlanWindow& window) const {
    return *reinterpret_cast<const T*>(state() + window.offset);
  }

  static std::size_t Padded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }
  static std::size_t BytesFor(std::size_t name_size, std::size_t state_bytes) {
    return sizeof(Thing) + Padded(name_size) + state_bytes;
  }
  /// Zeroed state behind the head.
  static Thing* Make(BlockPool& pool, std::string_view name, std::size_t state_bytes) {
    std::size_t size = BytesFor(name.size(), state_bytes);
    void* memory = pool.Allocate(size);
    std::memset(memory, 0, size);
    Thing* thing = new (memory) Thing;
    thing->name_size = static_cast<std::uint16_t>(name.size());
    std::memcpy(reinterpret_cast<char*>(thing + 1), name.data(), name.size());
    return thing;
  }
};
static_assert(sizeof(Thing) == 64 && alignof(Thing) == 8);

/// Head and what most plans need behind it.
inline constexpr std::size_t kPrefetched = 7 * 64;
inline void PrefetchThing(const Thing* thing) { PrefetchBytes(thing, kPrefetched); }
/// What there is more, of a thing whose head has come: models are large, and only few profiles have them.
inline void PrefetchRest(const Thing& thing) {
  std::size_t bytes = Thing::BytesFor(thing.name_size, thing.plan().state_bytes);
  if (bytes > kPrefetched) PrefetchBytes(reinterpret_cast<const char*>(&thing) + kPrefetched, bytes - kPrefetched);
}

}  // namespace fleetward::detect
