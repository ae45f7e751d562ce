#include "fleetward/registry/fleet_index.h"

#include "access.h"
#include "fleet_index_records.h"
#include "fleet_index_shelf.h"

namespace fleetward::registry {
namespace {

using index::Collection;
using index::Section;
using index::Value;

constexpr std::string_view kThingsKey = "things", kGroupsKey = "thing_groups";

}  // namespace

FleetIndex::FleetIndex(const Context& context, const Directory& directory, DynamicThingGroups& dynamic_groups,
                       CounterRegistry& counters)
    : context_(context), directory_(directory), dynamic_groups_(dynamic_groups),
      refused_(counters.AddCounter("fleetward_dynamic_group_refusals_total",
                                   "Things that a dynamic thing group could not take or lost to another, being in too "
                                   "many groups.")) {}

FleetIndex::~FleetIndex() { Stop(); }

Status FleetIndex::Start(FleetState state) {
  state_ = std::move(state);
  Status read = context_.store.Read([&](ConstReader reader) -> Status {
    FW_ASSIGN(auto things, reader.Get(kFleetIndex, kThingsKey));
    if (things) {
      FW_ASSIGN(thing_indexing_, DecodeThingIndexing(*things));
    }
    FW_ASSIGN(auto groups, reader.Get(kFleetIndex, kGroupsKey));
    if (groups) {
      FW_ASSIGN(group_indexing_, DecodeThingGroupIndexing(*groups));
    }
    return {};
  });
  FW_TRY(read);
  std::unique_lock lock(mutex_);
  LoadDynamicGroups();
  if (thing_indexing_.on) things_ = std::make_unique<Shelf>("thingName");
  if (group_indexing_.on) groups_ = std::make_unique<Shelf>("thingGroupName");
  things_on_ = thing_indexing_.on;
  build_things_ = thing_indexing_.on;
  build_groups_ = group_indexing_.on;
  worker_ = std::thread([this] { Work(); });
  return {};
}

void FleetIndex::Stop() {
  {
    std::lock_guard lock(work_mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (worker_.joinable()) worker_.join();
}

// ---- configuration ----

ThingIndexing FleetIndex::things() const {
  std::shared_lock lock(mutex_);
  return thing_indexing_;
}

ThingGroupIndexing FleetIndex::thing_groups() const {
  std::shared_lock lock(mutex_);
  return group_indexing_;
}

Status FleetIndex::Configure(std::string_view actor, const std::optional<ThingIndexing>& things,
                             const std::optional<ThingGroupIndexing>& thing_groups) {
  if (things) {
    if (!things->on && (things->connectivity || things->violations || things->named_shadows)) {
      return Error(Code::kInvalidArgument, "Connectivity, Device Defender and shadows are indexed only together with the "
                                           "registry: thingIndexingMode is OFF");
    }
    std::vector<std::string_view> prefixes = {"attributes."};
    if (things->shadows || things->named_shadows) prefixes.push_back("shadow.");
    if (things->violations) prefixes.push_back(kDefenderPrefix);
    FW_TRY(CheckCustomFields(things->custom_fields, prefixes, context_.quotas));
  }
  if (thing_groups) FW_TRY(CheckCustomFields(thing_groups->custom_fields, {"attributes."}, context_.quotas));
  FW_TRY(context_.store.Write(actor, [&](Transaction& tx) -> Status {
    if (things && !things->on) {
      bool any = false;
      FW_TRY(tx.Scan(kDynamicGroups, "", "", [&](std::string_view, std::string_view) {
        any = true;
        return false;
      }));
      if (any) {
        return Error(Code::kInvalidArgument, "Dynamic thing groups need the index AWS_Things: delete them first");
      }
    }
    if (things) FW_TRY(tx.Put(kFleetIndex, kThingsKey, Encode(*things)));
    if (thing_groups) FW_TRY(tx.Put(kFleetIndex, kGroupsKey, Encode(*thing_groups)));
    return {};
  }));
  bool build_things = false, build_groups = false;
  {
    std::unique_lock lock(mutex_);
    if (things) {
      // Another source on or off: what it says is found or gone once the index was built anew.
      build_things = things->on && (!things_ || things->connectivity != thing_indexing_.connectivity ||
                                    things->violations != thing_indexing_.violations);
      thing_indexing_ = *things;
      if (!things->on) things_.reset();
      if (build_things) things_ = std::make_unique<Shelf>("thingName");
      things_on_ = things->on;
    }
    if (thing_groups) {
      build_groups = thing_groups->on && !groups_;
      group_indexing_ = *thing_groups;
      if (!thing_groups->on) groups_.reset();
      if (build_groups) groups_ = std::make_unique<Shelf>("thingGroupName");
    }
  }
  std::lock_guard lock(work_mutex_);
  build_things_ |= build_things;
  build_groups_ |= build_groups;
  work_.notify_all();
  return {};
}

Result<IndexState> FleetIndex::StateOf(std::string_view index) const {
  std::shared_lock lock(mutex_);
  const Shelf* shelf = index == kThingsIndex ? things_.get() : groups_.get();
  if (index != kThingsIndex && index != kThingGroupsIndex) return NotFound("index", index);
  if (shelf == nullptr) return IndexState::kOff;
  return shelf->building ? IndexState::kBuilding : IndexState::kActive;
}

Status FleetIndex::RequireThings() const {
  if (things_on_) return {};
  return Error(Code::kInvalidArgument, "Dynamic thing groups need the index AWS_Things: switch it on with "
                                       "UpdateIndexingConfiguration (thingIndexingMode REGISTRY)");
}

// ---- what changes ----

void FleetIndex::OnChanges(std::span<const Change> changes) {
  bool dynamic_changed = false;
  {
    std::unique_lock lock(mutex_);
    for (const Change& change : changes) {
      if (const auto* thing = std::get_if<ThingChanged>(&change)) {
        if (!things_) continue;
        const std::string& name = thing->name.value();
        if (things_->building) {
          things_->changed.insert(name);
          if (thing->now) things_->told = std::max(things_->told, thing->now->order);
        } else if (thing->now) {
          PutThing(things_->collection, *thing->now);
          if (!thing->before) PutGroups(things_->collection, name);
          CheckDynamic(name);
        } else {
          things_->collection.Erase(name);
        }
      } else if (const auto* member = std::get_if<MembershipChanged>(&change)) {
        if (!things_) continue;
        const std::string& name = member->thing.value();
        if (things_->building) {
          things_->changed.insert(name);
        } else {
          PutGroups(things_->collection, name);
          CheckDynamic(name);
        }
      } else if (const auto* group = std::get_if<ThingGroupChanged>(&change)) {
        dynamic_changed = true;  // the worker looks whether it is one
        if (!groups_) continue;
        if (groups_->building) {
          groups_->changed.insert(group->name.value());
        } else if (group->now) {
          PutThingGroup(groups_->collection, *group->now);
        } else {
          groups_->collection.Erase(group->name.value());
        }
      }
    }
  }
  if (!dynamic_changed) return;
  std::lock_guard lock(work_mutex_);
  dynamic_changed_ = true;
  work_.notify_all();
}

void FleetIndex::OnConnectivity(const model::ThingName& thing, const ThingConnectivity& connectivity) {
  if (!things_on_) return;
  std::unique_lock lock(mutex_);
  if (!things_ || !thing_indexing_.connectivity) return;
  if (things_->building) {
    things_->connectivity[thing.value()] = connectivity;
    return;
  }
  things_->collection.Put(thing.value(), Section::kConnectivity, ConnectivityValues(connectivity));
  CheckDynamic(thing.value());
}

void FleetIndex::OnViolation(const model::ActiveViolation& violation, bool active) {
  if (!things_on_) return;
  std::unique_lock lock(mutex_);
  if (!things_ || !thing_indexing_.violations) return;
  if (things_->building) {
    things_->violations.emplace_back(violation, active);
    return;
  }
  PutViolation(things_->collection, violation, active);
  CheckDynamic(violation.thing_name.value());
}

// ---- queries ----

template <class T, class Fn>
Result<T> FleetIndex::With(std::string_view index, std::string_view text, Fn&& fn) const {
  FW_ASSIGN(index::Query query, index::ParseQuery(text));
  std::shared_lock lock(mutex_);
  if (index != kThingsIndex && index != kThingGroupsIndex) return NotFound("index", index);
  const Shelf* shelf = index == kThingsIndex ? things_.get() : groups_.get();
  if (shelf == nullptr) return NotFound("index", std::string(index) + " (it is off: UpdateIndexingConfiguration)");
  if (shelf->building) return Error(Code::kIndexNotReady, "The index " + std::string(index) + " is being built");
  return fn(shelf->collection, query);
}

Result<index::SearchPage> FleetIndex::Search(std::string_view index, std::string_view query, std::string_view after,
                                             std::size_t limit) const {
  return With<index::SearchPage>(index, query, [&](const Collection& collection, const index::Query& parsed) {
    return collection.Search(parsed, after, limit);
  });
}

Result<FieldType> FleetIndex::TypeOf(std::string_view index, std::string_view field) const {
  std::vector<IndexField> fields;
  {
    std::shared_lock lock(mutex_);
    fields = index == kThingsIndex ? ManagedFields(thing_indexing_) : ManagedFields(group_indexing_);
    const auto& custom = index == kThingsIndex ? thing_indexing_.custom_fields : group_indexing_.custom_fields;
    fields.insert(fields.end(), custom.begin(), custom.end());
    if (index == kThingsIndex && thing_indexing_.violations && field.starts_with(kDefenderPrefix)) {
      if (field.ends_with(".inViolation")) return FieldType::kBoolean;
      if (field.ends_with(".metricName")) return FieldType::kString;
      return FieldType::kNumber;
    }
  }
  for (const IndexField& known : fields) {
    std::string_view name = known.name;
    if (name.starts_with("registry.") && name != "registry.version" && name.substr(9) == field) return known.type;
    if (name == field) return known.type;
  }
  return Error(Code::kInvalidAggregation, "The aggregation field " + std::string(field) +
                                              " is neither a managed field nor a custom field of the index " +
                                              std::string(index));
}

namespace {

// Managed fields are listed with a prefix that documents' fields lack.
std::string_view DocumentField(std::string_view field) {
  if (field == "registry.thingTypeName" || field == "registry.thingGroupNames") return field.substr(9);
  return field;
}

}  // namespace

Result<std::pair<index::Statistics, FieldType>> FleetIndex::StatisticsOf(std::string_view index,
                                                                         std::string_view query,
                                                                         std::string_view field) const {
  using Answer = std::pair<index::Statistics, FieldType>;
  FW_TRY(With<bool>(index, query, [](const auto&, const auto&) { return true; }));
  FW_ASSIGN(FieldType type, TypeOf(index, field));
  return With<Answer>(index, query, [&](const Collection& collection, const index::Query& parsed) -> Result<Answer> {
    if (type != FieldType::kString) return Answer(collection.StatisticsOf(parsed, DocumentField(field), type), type);
    index::Statistics count;
    count.count = collection.CountWith(parsed, DocumentField(field));
    return Answer(count, type);
  });
}

Result<std::uint64_t> FleetIndex::Cardinality(std::string_view index, std::string_view query,
                                              std::string_view field) const {
  FW_TRY(With<bool>(index, query, [](const auto&, const auto&) { return true; }));
  FW_TRY(TypeOf(index, field));
  return With<std::uint64_t>(index, query, [&](const Collection& collection, const index::Query& parsed) {
    return collection.Cardinality(parsed, DocumentField(field));
  });
}

Result<std::vector<PercentileValue>> FleetIndex::Percentiles(std::string_view index, std::string_view query,
                                                             std::string_view field,
                                                             const std::vector<double>& percents) const {
  using Answer = std::vector<PercentileValue>;
  FW_TRY(With<bool>(index, query, [](const auto&, const auto&) { return true; }));
  FW_ASSIGN(FieldType type, TypeOf(index, field));
  if (type != FieldType::kNumber) {
    return Error(Code::kInvalidAggregation, "Percentiles need a field of type Number: " + std::string(field));
  }
  return With<Answer>(index, query, [&](const Collection& collection, const index::Query& parsed) {
    std::vector<double> values = collection.Percentiles(parsed, DocumentField(field), percents);
    Answer answer;
    for (std::size_t i = 0; i < values.size(); ++i) answer.push_back({percents[i], values[i]});
    return answer;
  });
}

Result<Buckets> FleetIndex::BucketsOf(std::string_view index, std::string_view query, std::string_view field,
                                      std::size_t at_most) const {
  FW_TRY(With<bool>(index, query, [](const auto&, const auto&) { return true; }));
  FW_TRY(TypeOf(index, field));
  return With<Buckets>(index, query, [&](const Collection& collection, const index::Query& parsed) {
    return Buckets{collection.CountWith(parsed, DocumentField(field)),
                   collection.Buckets(parsed, DocumentField(field), at_most)};
  });
}

std::vector<Value> FleetIndex::ValuesOf(const model::ThingName& thing, Section section) const {
  std::shared_lock lock(mutex_);
  if (!things_) return {};
  return things_->collection.ValuesOf(thing.value(), section);
}

std::size_t FleetIndex::MemoryBytes() const {
  std::shared_lock lock(mutex_);
  return (things_ ? things_->collection.MemoryBytes() : 0) + (groups_ ? groups_->collection.MemoryBytes() : 0);
}

}  // namespace fleetward::registry
