// The fleet index (developer guide, "Fleet indexing"): things and thing groups as documents that queries find, built in
// memory from the registry and kept in step with every change. It also keeps the members of dynamic thing groups.
//
// Nothing is held for an index that is off. A document of a thing has the fields
//   thingName, thingTypeName, billingGroupName, registry.version, attributes.NAME
//   thingGroupNames                     the thing's static groups and all their ancestors
//   connectivity.connected, connectivity.timestamp (epoch ms), connectivity.disconnectReason
//   deviceDefender.violationCount, deviceDefender.PROFILE.BEHAVIOR.{inViolation, metricName, lastViolationTime (epoch ms),
//                                       lastViolationValue.KIND}
// and one of a thing group thingGroupName, thingGroupId, description, parentGroupNames, version, attributes.NAME.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fleetward/base/counters.h"
#include "fleetward/base/result.h"
#include "fleetward/index/collection.h"
#include "fleetward/model/violation.h"
#include "fleetward/registry/changes.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/dynamic_thing_groups.h"

namespace fleetward::registry {

using index::FieldType;

struct IndexField {
  std::string name;
  FieldType type = FieldType::kString;
  bool operator==(const IndexField&) const = default;
};

/// What AWS_Things holds. Shadows are not kept here: their settings are stored and find nothing.
struct ThingIndexing {
  bool on = false;
  bool shadows = false;
  bool connectivity = false;
  bool violations = false;
  bool named_shadows = false;
  std::vector<std::string> named_shadow_names{};
  std::vector<IndexField> custom_fields{};
};

struct ThingGroupIndexing {
  bool on = false;
  std::vector<IndexField> custom_fields{};
};

enum class IndexState : std::uint8_t { kOff, kBuilding, kActive };

/// Fields that the service defines, for what is switched on.
std::vector<IndexField> ManagedFields(const ThingIndexing& indexing);
std::vector<IndexField> ManagedFields(const ThingGroupIndexing& indexing);

struct ThingConnectivity {
  bool connected = false;
  Timestamp since{};              // of the connect or disconnect
  std::string disconnect_reason;  // as in lifecycle events; empty while connected
};

/// What lies outside of the registry, asked for in full when an index is built; changes are told by the On… calls.
struct FleetState {
  std::function<void(const std::function<void(const model::ThingName&, const ThingConnectivity&)>&)> each_connectivity;
  std::function<void(const std::function<void(const model::ActiveViolation&)>&)> each_violation;
};

struct PercentileValue {
  double percent = 0, value = 0;
};
struct Buckets {
  std::uint64_t total = 0;
  std::vector<index::TermCount> terms;
};

/// Thread-safe. Add it to the ChangeHub behind the directory.
class FleetIndex final : public ChangeListener {
 public:
  FleetIndex(const Context& context, const Directory& directory, DynamicThingGroups& dynamic_groups,
             CounterRegistry& counters);
  ~FleetIndex() override;

  /// Reads the configuration and begins to build what is on, on a thread of its own. Errors: kCorrupt, kIo.
  Status Start(FleetState state);
  void Stop();

  ThingIndexing things() const;
  ThingGroupIndexing thing_groups() const;
  /// Errors: kInvalidArgument (a custom field, AWS_Things off while there are dynamic groups or with sources on).
  Status Configure(std::string_view actor, const std::optional<ThingIndexing>& things,
                   const std::optional<ThingGroupIndexing>& thing_groups);
  /// Error: kNotFound (no such index).
  Result<IndexState> StateOf(std::string_view index) const;
  /// Error: kInvalidArgument when AWS_Things is off: dynamic groups need it.
  Status RequireThings() const;

  // Errors of all: kNotFound (no such index, or off), kIndexNotReady, kInvalidQuery.
  /// Also kInvalidArgument (`after`).
  Result<index::SearchPage> Search(std::string_view index, std::string_view query, std::string_view after,
                                   std::size_t limit) const;
  // Also kInvalidAggregation: the field is neither managed nor a custom field, or of the wrong type.
  /// Of a string field only the count.
  Result<std::pair<index::Statistics, FieldType>> StatisticsOf(std::string_view index, std::string_view query,
                                                               std::string_view field) const;
  Result<std::uint64_t> Cardinality(std::string_view index, std::string_view query, std::string_view field) const;
  Result<std::vector<PercentileValue>> Percentiles(std::string_view index, std::string_view query,
                                                   std::string_view field, const std::vector<double>& percents) const;
  Result<Buckets> BucketsOf(std::string_view index, std::string_view query, std::string_view field,
                            std::size_t at_most) const;

  /// What the index knows of a thing, for answers: values of one section.
  std::vector<index::Value> ValuesOf(const model::ThingName& thing, index::Section section) const;

  void OnChanges(std::span<const Change> changes) override;
  void OnConnectivity(const model::ThingName& thing, const ThingConnectivity& connectivity);
  /// An alarm is on, or has ended.
  void OnViolation(const model::ActiveViolation& violation, bool active);

  std::size_t MemoryBytes() const;

 private:
  struct Shelf;  // one index
  struct DynamicGroup;

  void Work();
  Status BuildThings();
  Status PutChanged(const std::set<std::string>& changed, std::uint64_t told, index::Collection& into) const;
  Status BuildThingGroups();
  Status RebuildGroup(const model::ThingGroupName& name);
  void Reconcile(const std::set<std::string>& things);
  Status SetMembers(const std::string& group, const std::string& query, std::vector<DynamicMembership>& members);
  void LoadDynamicGroups();
  void PutThing(index::Collection& into, const Thing& thing) const;
  void PutGroups(index::Collection& into, std::string_view thing) const;
  void PutThingGroup(index::Collection& into, const ThingGroup& group) const;
  void CheckDynamic(const std::string& thing);
  template <class T, class Fn>
  Result<T> With(std::string_view index, std::string_view query, Fn&& fn) const;
  Result<FieldType> TypeOf(std::string_view index, std::string_view field) const;

  const Context& context_;
  const Directory& directory_;
  DynamicThingGroups& dynamic_groups_;
  FleetState state_;
  Counter& refused_;

  mutable std::shared_mutex mutex_;  // of everything below but the worker's
  ThingIndexing thing_indexing_;
  ThingGroupIndexing group_indexing_;
  std::unique_ptr<Shelf> things_, groups_;
  std::map<std::string, std::unique_ptr<DynamicGroup>> dynamic_;
  std::atomic<bool> things_on_{false};

  std::mutex work_mutex_;
  std::condition_variable work_;
  bool stopping_ = false, build_things_ = false, build_groups_ = false, dynamic_changed_ = false;
  std::set<std::string> stray_;  // things whose dynamic memberships are not as the queries say
  std::thread worker_;
};

}  // namespace fleetward::registry
