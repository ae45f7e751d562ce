#include "fleetward/registry/fleet_index.h"

#include <algorithm>
#include <cmath>

#include "access.h"
#include "group_access.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"

namespace fleetward::registry {
namespace {

using index::Collection;
using index::Section;
using index::Value;

constexpr std::uint8_t kConfigurationVersion = 1;
constexpr std::string_view kThingsKey = "things", kGroupsKey = "thing_groups";
constexpr std::size_t kMembersPerWrite = 500;  // a write of this size delays nobody by more than a few milliseconds
constexpr std::string_view kDefenderPrefix = "deviceDefender.";

void WriteFields(ByteWriter& out, const std::vector<IndexField>& fields) {
  out.Varint(fields.size());
  for (const IndexField& field : fields) {
    out.Bytes(field.name);
    out.U8(static_cast<std::uint8_t>(field.type));
  }
}

std::vector<IndexField> ReadFields(ByteReader& in) {
  std::vector<IndexField> fields;
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    IndexField field;
    field.name = std::string(in.Bytes());
    field.type = static_cast<FieldType>(std::min<std::uint8_t>(in.U8(), 2));
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string Encode(const ThingIndexing& indexing) {
  std::string record;
  ByteWriter out(record);
  out.U8(kConfigurationVersion);
  for (bool flag : {indexing.on, indexing.shadows, indexing.connectivity, indexing.violations, indexing.named_shadows}) {
    out.U8(flag ? 1 : 0);
  }
  out.Varint(indexing.named_shadow_names.size());
  for (const std::string& name : indexing.named_shadow_names) out.Bytes(name);
  WriteFields(out, indexing.custom_fields);
  return record;
}

std::string Encode(const ThingGroupIndexing& indexing) {
  std::string record;
  ByteWriter out(record);
  out.U8(kConfigurationVersion);
  out.U8(indexing.on ? 1 : 0);
  WriteFields(out, indexing.custom_fields);
  return record;
}

Error Damaged() { return Error(Code::kCorrupt, "the stored indexing configuration is damaged"); }

Result<ThingIndexing> DecodeThings(std::string_view record) {
  ByteReader in(record);
  bool good = in.U8() == kConfigurationVersion;
  ThingIndexing indexing;
  for (bool* flag : {&indexing.on, &indexing.shadows, &indexing.connectivity, &indexing.violations,
                     &indexing.named_shadows}) {
    *flag = in.U8() == 1;
  }
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    indexing.named_shadow_names.emplace_back(in.Bytes());
  }
  indexing.custom_fields = ReadFields(in);
  if (!good || !in.ok() || !in.AtEnd()) return Damaged();
  return indexing;
}

Result<ThingGroupIndexing> DecodeGroups(std::string_view record) {
  ByteReader in(record);
  bool good = in.U8() == kConfigurationVersion;
  ThingGroupIndexing indexing;
  indexing.on = in.U8() == 1;
  indexing.custom_fields = ReadFields(in);
  if (!good || !in.ok() || !in.AtEnd()) return Damaged();
  return indexing;
}

Status CheckCustomFields(const std::vector<IndexField>& fields, const std::vector<std::string_view>& prefixes,
                         const Quotas& quotas) {
  if (fields.size() > quotas.custom_index_fields) {
    return Error(Code::kInvalidArgument, "An index may have at most " + std::to_string(quotas.custom_index_fields) +
                                             " custom fields");
  }
  std::set<std::string_view> names;
  for (const IndexField& field : fields) {
    bool known = std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
      return field.name.starts_with(prefix) && field.name.size() > prefix.size();
    });
    if (!known) {
      std::string all;
      for (std::string_view prefix : prefixes) all += (all.empty() ? "" : ", ") + std::string(prefix);
      return Error(Code::kInvalidArgument, "The custom field " + field.name + " must begin with one of: " + all);
    }
    if (!names.insert(field.name).second) {
      return Error(Code::kInvalidArgument, "The custom field " + field.name + " is given twice");
    }
  }
  return {};
}

std::string NumberText(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<std::int64_t>(value));
  return std::to_string(value);
}

std::string BehaviorPrefix(const model::ActiveViolation& violation) {
  return std::string(kDefenderPrefix) + violation.profile.value() + "." + violation.behavior.name.value() + ".";
}

void AddViolation(std::vector<Value>& values, const model::ActiveViolation& violation) {
  std::string prefix = BehaviorPrefix(violation);
  values.push_back({prefix + "inViolation", "true"});
  values.push_back({prefix + "lastViolationTime", std::to_string(ToMillis(violation.last_violation_time))});
  if (violation.behavior.metric) {
    values.push_back({prefix + "metricName", *violation.behavior.metric});
  }
  if (const auto* count = std::get_if<model::Count>(&violation.last_value)) {
    values.push_back({prefix + "lastViolationValue.count", std::to_string(count->value)});
  } else if (const auto* number = std::get_if<model::Number>(&violation.last_value)) {
    values.push_back({prefix + "lastViolationValue.number", NumberText(number->value)});
  }
}

// The count is how many behaviors are in violation; without any there is nothing.
void CountViolations(std::vector<Value>& values) {
  std::erase_if(values, [](const Value& value) { return value.field == "deviceDefender.violationCount"; });
  auto count = std::count_if(values.begin(), values.end(),
                             [](const Value& value) { return value.field.ends_with(".inViolation"); });
  values.push_back({"deviceDefender.violationCount", std::to_string(count)});
}

void PutViolation(Collection& into, const model::ActiveViolation& violation, bool active) {
  const std::string& name = violation.thing_name.value();
  std::vector<Value> values = into.ValuesOf(name, Section::kViolations);
  std::string prefix = BehaviorPrefix(violation);
  std::erase_if(values, [&](const Value& value) { return value.field.starts_with(prefix); });
  if (active) AddViolation(values, violation);
  CountViolations(values);
  into.Put(name, Section::kViolations, values);
}

std::vector<Value> ConnectivityValues(const ThingConnectivity& connectivity) {
  std::vector<Value> values = {{"connectivity.connected", connectivity.connected ? "true" : "false"},
                               {"connectivity.timestamp", std::to_string(ToMillis(connectivity.since))}};
  if (!connectivity.disconnect_reason.empty()) {
    values.push_back({"connectivity.disconnectReason", connectivity.disconnect_reason});
  }
  return values;
}

}  // namespace

struct FleetIndex::Shelf {
  Shelf(std::string_view name_field, Timestamp now)
      : collection(std::string(name_field), static_cast<std::uint64_t>(ToMillis(now))) {}
  Collection collection;
  bool building = true;
  // What came while it was building: things and groups to read once more, and the latest word of other sources.
  std::set<std::string> changed;
  std::map<std::string, ThingConnectivity> connectivity;
  std::vector<std::pair<model::ActiveViolation, bool>> violations;
};

struct FleetIndex::DynamicGroup {
  std::string text;
  index::Query query;
};

std::vector<IndexField> ManagedFields(const ThingIndexing& indexing) {
  if (!indexing.on) return {};
  std::vector<IndexField> fields = {{"thingId", FieldType::kString},
                                    {"thingName", FieldType::kString},
                                    {"registry.version", FieldType::kNumber},
                                    {"registry.thingTypeName", FieldType::kString},
                                    {"registry.thingGroupNames", FieldType::kString}};
  if (indexing.connectivity) {
    fields.insert(fields.end(), {{"connectivity.timestamp", FieldType::kNumber},
                                 {"connectivity.connected", FieldType::kBoolean},
                                 {"connectivity.disconnectReason", FieldType::kString}});
  }
  if (indexing.violations) fields.push_back({"deviceDefender.violationCount", FieldType::kNumber});
  return fields;
}

std::vector<IndexField> ManagedFields(const ThingGroupIndexing& indexing) {
  if (!indexing.on) return {};
  return {{"description", FieldType::kString},
          {"parentGroupNames", FieldType::kString},
          {"thingGroupId", FieldType::kString},
          {"thingGroupName", FieldType::kString},
          {"version", FieldType::kNumber}};
}

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
      FW_ASSIGN(thing_indexing_, DecodeThings(*things));
    }
    FW_ASSIGN(auto groups, reader.Get(kFleetIndex, kGroupsKey));
    if (groups) {
      FW_ASSIGN(group_indexing_, DecodeGroups(*groups));
    }
    return {};
  });
  FW_TRY(read);
  std::unique_lock lock(mutex_);
  LoadDynamicGroups();
  if (thing_indexing_.on) things_ = std::make_unique<Shelf>("thingName", context_.clock.Now());
  if (group_indexing_.on) groups_ = std::make_unique<Shelf>("thingGroupName", context_.clock.Now());
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
      if (build_things) things_ = std::make_unique<Shelf>("thingName", context_.clock.Now());
      things_on_ = things->on;
    }
    if (thing_groups) {
      build_groups = thing_groups->on && !groups_;
      group_indexing_ = *thing_groups;
      if (!thing_groups->on) groups_.reset();
      if (build_groups) groups_ = std::make_unique<Shelf>("thingGroupName", context_.clock.Now());
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

// ---- documents ----

void FleetIndex::PutThing(Collection& into, const Thing& thing) const {
  std::vector<Value> values = {{"registry.version", std::to_string(thing.version)}, {"thingId", thing.id.Uuid()}};
  if (!thing.type.empty()) values.push_back({"thingTypeName", thing.type});
  if (!thing.billing_group.empty()) values.push_back({"billingGroupName", thing.billing_group});
  for (const auto& [name, value] : thing.attributes) values.push_back({"attributes." + name, value});
  into.Put(thing.name.value(), Section::kRegistry, values);
}

void FleetIndex::PutGroups(Collection& into, std::string_view thing) const {
  std::vector<Value> values;
  for (const auto& group : directory_.GroupsOf(thing)) {
    if (!dynamic_.contains(group.value())) values.push_back({"thingGroupNames", group.value()});
  }
  into.Put(thing, Section::kGroups, values);
}

void FleetIndex::PutThingGroup(Collection& into, const ThingGroup& group) const {
  std::vector<Value> values = {{"version", std::to_string(group.version)}, {"thingGroupId", group.id.Uuid()}};
  if (!group.description.empty()) values.push_back({"description", group.description});
  for (const auto& [name, value] : group.attributes) values.push_back({"attributes." + name, value});
  for (const auto& ancestor : directory_.AncestorsOf(group.name.value())) {
    values.push_back({"parentGroupNames", ancestor.value()});
  }
  into.Put(group.name.value(), Section::kRegistry, values);
}

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

// ---- the worker: building, and dynamic groups ----

void FleetIndex::LoadDynamicGroups() {
  auto all = dynamic_groups_.All();
  if (!all.ok()) {
    log::Error("dynamic-groups-unread", {{"error", all.error().ToString()}});
    return;
  }
  dynamic_.clear();
  for (auto& [name, stored] : *all) {
    auto query = index::ParseQuery(stored.query);
    if (!query.ok()) continue;  // was checked when it came
    auto group = std::make_unique<DynamicGroup>();
    group->text = stored.query;
    group->query = std::move(*query);
    dynamic_.emplace(name.value(), std::move(group));
  }
}

// The queries against what the thing is in; a difference is the worker's to mend. Called with the lock.
void FleetIndex::CheckDynamic(const std::string& thing) {
  if (dynamic_.empty()) return;
  auto groups = directory_.GroupsOf(thing);
  for (const auto& entry : dynamic_) {
    const std::string& name = entry.first;
    bool member = std::any_of(groups.begin(), groups.end(), [&](const auto& g) { return g.value() == name; });
    if (member == things_->collection.Matches(entry.second->query, thing)) continue;
    std::lock_guard lock(work_mutex_);
    stray_.insert(thing);
    work_.notify_all();
    return;
  }
}

void FleetIndex::Work() {
  std::unique_lock lock(work_mutex_);
  while (true) {
    work_.wait(lock, [&] {
      return stopping_ || build_things_ || build_groups_ || dynamic_changed_ || !stray_.empty();
    });
    if (stopping_) return;
    bool things = std::exchange(build_things_, false), groups = std::exchange(build_groups_, false);
    bool dynamic_changed = std::exchange(dynamic_changed_, false);
    std::set<std::string> stray = std::move(stray_);
    stray_.clear();
    lock.unlock();
    Status done;
    if (things) done = BuildThings();
    if (done.ok() && groups) done = BuildThingGroups();
    if (!done.ok()) log::Error("fleet-index-unbuilt", {{"error", done.error().ToString()}});
    if (dynamic_changed || things) {
      std::map<std::string, std::string> before;
      {
        std::unique_lock write(mutex_);
        for (const auto& [name, group] : dynamic_) before.emplace(name, group->text);
        LoadDynamicGroups();
      }
      // All of them after a build: members may have changed while the index was off or the server down.
      std::vector<std::string> rebuild;
      {
        std::shared_lock read(mutex_);
        for (const auto& [name, group] : dynamic_) {
          auto known = before.find(name);
          if (things || known == before.end() || known->second != group->text) rebuild.push_back(name);
        }
      }
      for (const std::string& name : rebuild) {
        Status rebuilt = RebuildGroup(model::ThingGroupName(name));
        if (!rebuilt.ok()) log::Error("dynamic-group-unbuilt", {{"group", name}, {"error", rebuilt.error().ToString()}});
      }
    }
    if (!stray.empty()) Reconcile(stray);
    lock.lock();
  }
}

Status FleetIndex::BuildThings() {
  ThingIndexing indexing = things();
  auto fresh = std::make_unique<Shelf>("thingName", context_.clock.Now());
  Collection& collection = fresh->collection;
  Status damaged;
  FW_TRY(context_.store.Read([&](ConstReader reader) {
    return reader.Scan(kThings, "", "", [&](std::string_view key, std::string_view value) {
      auto thing = DecodeThing(key, value);
      if (!thing.ok()) {
        damaged = thing.error();
        return false;
      }
      PutThing(collection, *thing);
      PutGroups(collection, key);
      return true;
    });
  }));
  FW_TRY(damaged);
  if (indexing.connectivity && state_.each_connectivity) {
    state_.each_connectivity([&](const model::ThingName& thing, const ThingConnectivity& connectivity) {
      collection.Put(thing.value(), Section::kConnectivity, ConnectivityValues(connectivity));
    });
  }
  if (indexing.violations && state_.each_violation) {
    state_.each_violation([&](const model::ActiveViolation& violation) { PutViolation(collection, violation, true); });
  }
  // What changed meanwhile is read once more, and under the lock only when it is little.
  for (bool last = false; !last;) {
    std::set<std::string> changed;
    std::unique_lock lock(mutex_);
    if (!things_ || !things_->building) return {};  // switched off meanwhile
    changed.swap(things_->changed);
    last = changed.size() < 100;
    if (!last) lock.unlock();
    FW_TRY(context_.store.Read([&](ConstReader reader) -> Status {
      for (const std::string& name : changed) {
        FW_ASSIGN(auto thing, FindThing(reader, name));
        if (!thing) {
          collection.Erase(name);
          continue;
        }
        PutThing(collection, *thing);
        PutGroups(collection, name);
      }
      return {};
    }));
    if (!last) continue;
    for (const auto& [name, connectivity] : things_->connectivity) {
      collection.Put(name, Section::kConnectivity, ConnectivityValues(connectivity));
    }
    for (const auto& [violation, active] : things_->violations) PutViolation(collection, violation, active);
    fresh->building = false;
    things_ = std::move(fresh);
    log::Info("fleet-index-built", {{"index", kThingsIndex}, {"things", things_->collection.size()}});
  }
  return {};
}

Status FleetIndex::BuildThingGroups() {
  auto fresh = std::make_unique<Shelf>("thingGroupName", context_.clock.Now());
  std::unique_lock lock(mutex_);  // groups are few
  if (!groups_) return {};
  Status damaged;
  FW_TRY(context_.store.Read([&](ConstReader reader) {
    return reader.Scan(kThingGroups, "", "", [&](std::string_view key, std::string_view value) {
      auto group = DecodeThingGroup(key, value);
      if (!group.ok()) {
        damaged = group.error();
        return false;
      }
      PutThingGroup(fresh->collection, *group);
      return true;
    });
  }));
  FW_TRY(damaged);
  fresh->building = false;
  groups_ = std::move(fresh);
  return {};
}

Status FleetIndex::SetMembers(const std::string& group, const std::string& query,
                              std::vector<DynamicMembership>& members) {
  if (members.empty()) return {};
  std::size_t refused = 0;
  Status set = dynamic_groups_.SetMembers(model::ThingGroupName(group), query, members, refused);
  members.clear();
  if (refused > 0) {
    refused_.Add(refused);
    log::Warning("dynamic-group-refused-things", {{"group", group}, {"things", refused}});
  }
  return set;
}

Status FleetIndex::RebuildGroup(const model::ThingGroupName& name) {
  std::string text;
  std::set<std::string> wanted;
  {
    std::shared_lock lock(mutex_);
    auto group = dynamic_.find(name.value());
    if (group == dynamic_.end() || !things_ || things_->building) return {};
    text = group->second->text;
    things_->collection.ForEachMatch(group->second->query, [&](const std::string& thing) { wanted.insert(thing); });
  }
  FW_ASSIGN(auto present, store::ReadFor<std::vector<std::string>>(context_.store, [&](ConstReader reader) {
    return PartsUnder(reader, kGroupMembers, name.value());
  }));
  std::vector<DynamicMembership> members;
  auto put = [&](const std::string& thing, bool member) -> Status {
    members.push_back({model::ThingName(thing), member});
    return members.size() < kMembersPerWrite ? Status() : SetMembers(name.value(), text, members);
  };
  for (const std::string& thing : present) {
    if (wanted.erase(thing) == 0) FW_TRY(put(thing, false));
  }
  for (const std::string& thing : wanted) FW_TRY(put(thing, true));
  FW_TRY(SetMembers(name.value(), text, members));
  return dynamic_groups_.SetActive(name, text);
}

void FleetIndex::Reconcile(const std::set<std::string>& things) {
  struct Work {
    std::string text;
    std::vector<DynamicMembership> members;
  };
  std::map<std::string, Work> by_group;
  {
    std::shared_lock lock(mutex_);
    if (!things_ || things_->building) return;  // the build ends with all groups anew
    for (const auto& [name, group] : dynamic_) {
      Work& work = by_group[name];
      work.text = group->text;
      for (const std::string& thing : things) {
        work.members.push_back({model::ThingName(thing), things_->collection.Matches(group->query, thing)});
      }
    }
  }
  for (auto& [name, work] : by_group) {
    Status set = SetMembers(name, work.text, work.members);
    if (!set.ok()) log::Error("dynamic-group-unbuilt", {{"group", name}, {"error", set.error().ToString()}});
  }
}

}  // namespace fleetward::registry
