// The fleet index's thread: it builds the indexes, and keeps the members of dynamic thing groups.
#include <algorithm>

#include "fleet_index_shelf.h"
#include "fleetward/base/log.h"

namespace fleetward::registry {
namespace {

using index::Collection;
using index::Section;

constexpr std::size_t kMembersPerWrite = 500;  // a write of this size delays nobody by more than a few milliseconds

/// `fn(row)` for every row of a table.
template <auto Decode, class Fn>
Status EachRow(ConstReader reader, const Table& table, Fn&& fn) {
  Status damaged;
  FW_TRY(reader.Scan(table, "", "", [&](std::string_view key, std::string_view value) {
    auto row = Decode(key, value);
    if (row.ok()) {
      fn(*row);
    } else {
      damaged = row.error();
    }
    return damaged.ok();
  }));
  return damaged;
}

/// Places all rows of a table in the order in which they were made, whatever their names.
template <auto Decode>
Status PlaceAll(ConstReader reader, const Table& table, Collection& collection) {
  std::vector<std::pair<std::uint64_t, std::string>> places;
  FW_TRY(EachRow<Decode>(reader, table, [&](const auto& row) { places.emplace_back(row.order, row.name.value()); }));
  std::sort(places.begin(), places.end());
  for (const auto& [order, name] : places) collection.Place(name, order);
  return {};
}

}  // namespace

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
  auto fresh = std::make_unique<Shelf>("thingName");
  Collection& collection = fresh->collection;
  FW_TRY(context_.store.Read([&](ConstReader reader) -> Status {
    FW_TRY(PlaceAll<DecodeThing>(reader, kThings, collection));
    return EachRow<DecodeThing>(reader, kThings, [&](const Thing& thing) {
      PutThing(collection, thing);
      PutGroups(collection, thing.name.value());
    });
  }));
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
    std::uint64_t told = things_->told;
    last = changed.size() < 100;
    if (!last) lock.unlock();
    FW_TRY(PutChanged(changed, told, collection));
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

// A thing that is newer than what was told will be told yet: it gets its place then, behind those told before.
Status FleetIndex::PutChanged(const std::set<std::string>& changed, std::uint64_t told, Collection& into) const {
  std::vector<Thing> things;
  FW_TRY(context_.store.Read([&](ConstReader reader) -> Status {
    for (const std::string& name : changed) {
      FW_ASSIGN(auto thing, FindThing(reader, name));
      if (thing && (thing->order <= told || into.OrderOf(name) == thing->order)) {
        things.push_back(std::move(*thing));
      } else {
        into.Erase(name);
      }
    }
    return {};
  }));
  std::sort(things.begin(), things.end(), [](const Thing& a, const Thing& b) { return a.order < b.order; });
  for (const Thing& thing : things) {
    PutThing(into, thing);
    PutGroups(into, thing.name.value());
  }
  return {};
}

Status FleetIndex::BuildThingGroups() {
  auto fresh = std::make_unique<Shelf>("thingGroupName");
  std::unique_lock lock(mutex_);  // groups are few
  if (!groups_) return {};
  FW_TRY(context_.store.Read([&](ConstReader reader) -> Status {
    FW_TRY(PlaceAll<DecodeThingGroup>(reader, kThingGroups, fresh->collection));
    return EachRow<DecodeThingGroup>(reader, kThingGroups,
                                     [&](const ThingGroup& group) { PutThingGroup(fresh->collection, group); });
  }));
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
