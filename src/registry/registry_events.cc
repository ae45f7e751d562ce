#include "fleetward/registry/registry_events.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "fleetward/base/thread.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::registry {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kRetry = std::chrono::milliseconds(200);

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

template <class T>
const char* OperationOf(const std::optional<T>& before, const std::optional<T>& now) {
  return !before ? "CREATED" : !now ? "DELETED" : "UPDATED";
}

const char* LastLevelOf(std::string_view operation) {
  if (operation == "CREATED") return "/created";
  return operation == "DELETED" ? "/deleted" : "/updated";
}

/// Collects the events of one change.
class Maker {
 public:
  Maker(const EventConfiguration& configuration, const model::Arns& arns, Timestamp now,
        const std::function<Id128()>& event_ids, std::vector<RegistryEvent>& events)
      : configuration_(configuration), arns_(arns), now_(now), event_ids_(event_ids), events_(events) {}

  void Note(const ThingChanged& change) {
    const Thing& thing = change.now ? *change.now : *change.before;
    const std::string& name = thing.name.value();
    // Another billing group is no new version, and no event.
    bool told = !change.before || !change.now || change.before->version != change.now->version;
    if (told && configuration_.Enabled(EventKind::kThing)) {
      const char* operation = OperationOf(change.before, change.now);
      Json payload = Head("THING_EVENT", operation);
      payload["thingId"] = thing.id.Uuid();
      payload["thingName"] = name;
      payload["versionNumber"] = thing.version;
      payload["thingTypeName"] = OrNull(thing.type);
      payload["attributes"] = thing.attributes;
      Add("thing/" + name + LastLevelOf(operation), payload);
    }
    const std::string before = change.before ? change.before->type : "", now = change.now ? change.now->type : "";
    if (before == now) return;
    if (!before.empty()) Associate(*change.before, false);
    if (!now.empty()) Associate(*change.now, true);
  }

  void Note(const ThingTypeChanged& change) {
    if (!configuration_.Enabled(EventKind::kThingType)) return;
    const ThingType& type = change.now ? *change.now : *change.before;
    const char* operation = OperationOf(change.before, change.now);
    Json payload = Head("THING_TYPE_EVENT", operation);
    payload["thingTypeId"] = type.id.Uuid();
    payload["thingTypeName"] = type.name;
    payload["isDeprecated"] = type.deprecated.has_value();
    payload["deprecationDate"] = type.deprecated ? Json(ToMillis(*type.deprecated)) : Json(nullptr);
    payload["searchableAttributes"] = type.searchable_attributes;
    payload["description"] = OrNull(type.description);
    Add("thingType/" + type.name + LastLevelOf(operation), payload);
  }

  void Note(const ThingGroupChanged& change) {
    const ThingGroup& group = change.now ? *change.now : *change.before;
    const std::string& name = group.name.value();
    const ThingGroup* parent = change.parents.empty() ? nullptr : &change.parents.front();
    if (configuration_.Enabled(EventKind::kThingGroup)) {
      const char* operation = OperationOf(change.before, change.now);
      Json payload = Head("THING_GROUP_EVENT", operation);
      payload["thingGroupId"] = group.id.Uuid();
      payload["thingGroupName"] = name;
      payload["versionNumber"] = group.version;
      payload["parentGroupName"] = OrNull(group.parent);
      payload["parentGroupId"] = parent ? Json(parent->id.Uuid()) : Json(nullptr);
      payload["description"] = OrNull(group.description);
      payload["rootToParentThingGroups"] = nullptr;
      for (const ThingGroup& each : change.parents) {
        payload["rootToParentThingGroups"].push_back(
            {{"groupArn", arns_.ThingGroup(each.name.value())}, {"groupId", each.id.Uuid()}});
      }
      payload["attributes"] = group.attributes;
      Add("thingGroup/" + name + LastLevelOf(operation), payload);
    }
    // A group gets its parent when it is made and loses it when it goes.
    if (!parent || (change.before && change.now) || !configuration_.Enabled(EventKind::kThingGroupHierarchy)) return;
    Json payload = Head("THING_GROUP_HIERARCHY_EVENT", change.now ? "ADDED" : "REMOVED");
    payload["thingGroupId"] = parent->id.Uuid();
    payload["thingGroupName"] = group.parent;
    payload["childGroupId"] = group.id.Uuid();
    payload["childGroupName"] = name;
    Add("thingGroupHierarchy/thingGroup/" + group.parent + "/childThingGroup/" + name +
            (change.now ? "/added" : "/removed"),
        payload);
  }

  void Note(const MembershipChanged& change) {
    if (!configuration_.Enabled(EventKind::kThingGroupMembership)) return;
    const std::string &group = change.group.value(), &thing = change.thing.value();
    Json payload = Head("THING_GROUP_MEMBERSHIP_EVENT", change.member ? "ADDED" : "REMOVED");
    payload["groupArn"] = arns_.ThingGroup(group);
    payload["groupId"] = change.group_id.Uuid();
    payload["thingArn"] = arns_.Thing(thing);
    payload["thingId"] = change.thing_id.Uuid();
    // Of the two ids: the same when the thing leaves as when it came.
    std::string digest = crypto::Sha256(change.group_id.Bytes() + change.thing_id.Bytes());
    payload["membershipId"] = Id128::FromBytes(std::string_view(digest).substr(0, 16)).value_or(Id128{}).Uuid();
    Add("thingGroupMembership/thingGroup/" + group + "/thing/" + thing + (change.member ? "/added" : "/removed"),
        payload);
  }

  void Note(const auto&) {}

 private:
  Json Head(const char* type, const char* operation) const {
    Json payload;
    payload["eventType"] = type;
    payload["eventId"] = event_ids_().Uuid();
    payload["timestamp"] = ToMillis(now_);
    payload["operation"] = operation;
    payload["accountId"] = arns_.account().value();
    return payload;
  }

  void Associate(const Thing& thing, bool added) {
    if (!configuration_.Enabled(EventKind::kThingTypeAssociation)) return;
    Json payload = Head("THING_TYPE_ASSOCIATION_EVENT", added ? "ADDED" : "REMOVED");
    payload["thingId"] = thing.id.Uuid();
    payload["thingName"] = thing.name.value();
    payload["thingTypeName"] = thing.type;
    Add("thingTypeAssociation/thing/" + thing.name.value() + "/thingType/" + thing.type + (added ? "/added" : "/removed"),
        payload);
  }

  void Add(const std::string& topic, const Json& payload) {
    events_.push_back({"$aws/events/" + topic, payload.dump(-1, ' ', false, Json::error_handler_t::replace)});
  }

  const EventConfiguration& configuration_;
  const model::Arns& arns_;
  const Timestamp now_;
  const std::function<Id128()>& event_ids_;
  std::vector<RegistryEvent>& events_;
};

}  // namespace

std::vector<RegistryEvent> EventsOf(const Change& change, const EventConfiguration& configuration,
                                    const model::Arns& arns, Timestamp now, const std::function<Id128()>& event_ids) {
  std::vector<RegistryEvent> events;
  Maker maker(configuration, arns, now, event_ids, events);
  std::visit([&](const auto& each) { maker.Note(each); }, change);
  return events;
}

RegistryEvents::RegistryEvents(const EventConfiguration& configuration, model::Arns arns, const Clock& clock,
                               Publish publish, CounterRegistry& counters)
    : arns_(std::move(arns)), clock_(clock), publish_(std::move(publish)),
      published_(counters.AddCounter("fleetward_registry_events_total", "Registry events given to the broker.")),
      lost_(counters.AddCounter("fleetward_registry_events_lost_total",
                                "Registry events dropped: too many waited for the broker.")),
      configuration_(configuration) {}

RegistryEvents::~RegistryEvents() { Stop(); }

void RegistryEvents::Start() {
  thread_ = std::thread([this] { Run(); });
}

void RegistryEvents::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void RegistryEvents::OnChanges(std::span<const Change> changes) {
  std::vector<RegistryEvent> events;
  for (const Change& change : changes) {
    if (const auto* switched = std::get_if<EventConfigurationChanged>(&change)) {
      configuration_.enabled = switched->enabled;
      continue;
    }
    if (configuration_.enabled == 0) continue;
    auto made = EventsOf(change, configuration_, arns_, clock_.Now(), Id128::Random);
    std::move(made.begin(), made.end(), std::back_inserter(events));
  }
  if (events.empty()) return;
  std::lock_guard lock(mutex_);
  for (RegistryEvent& event : events) waiting_.push_back(std::move(event));
  for (; waiting_.size() > kHeld; waiting_.pop_front()) lost_.Add();
  wake_.notify_one();
}

void RegistryEvents::Run() {
  NameThisThread("registry-events");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    RegistryEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    Status sent = publish_(event);
    lock.lock();
    if (sent.ok()) {
      published_.Add();
    } else if (sent.error().code() == Code::kUnavailable && waiting_.size() < kHeld) {
      waiting_.push_front(std::move(event));
      wake_.wait_for(lock, kRetry, [this] { return stopping_; });
    } else {
      lost_.Add();
    }
  }
}

}  // namespace fleetward::registry
