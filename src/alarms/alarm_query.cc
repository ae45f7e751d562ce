#include "fleetward/alarms/alarm_query.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "fleetward/alarms/codec.h"
#include "fleetward/base/encoding.h"
#include "fleetward/telemetry/violation_store.h"

namespace fleetward::alarms {
namespace {

constexpr std::size_t kWider = 4;  // of a scan to the one before, when a page needs another

// The behavior's part of a filter; verification is asked for later, because it costs a read.
template <class V>
bool Matches(const ViolationFilter& filter, const V& v) {
  if (filter.thing && *filter.thing != v.thing_name) return false;
  if (filter.profile && *filter.profile != v.profile) return false;
  if (filter.criteria_type) {
    if (!v.behavior.criteria || v.behavior.criteria->type() != *filter.criteria_type) return false;
  }
  return !filter.suppressed || *filter.suppressed == v.behavior.suppress_alerts.value_or(false);
}

/// A first look at a row, before it is decoded. Of one that makes no sense the decoder says so.
bool MayMatch(const ViolationFilter& filter, std::string_view row) {
  if (!filter.thing && !filter.profile) return true;
  auto head = DecodeHead(row);
  if (!head.ok()) return true;
  return (!filter.thing || filter.thing->value() == head->thing) && (!filter.profile || filter.profile->value() == head->profile);
}

std::string PageKey(Timestamp time, const model::ViolationId& id, std::uint8_t type) {
  std::string key;
  ByteWriter w(key);
  w.SignedVarint(ToMillis(time));
  w.Raw(id.Bytes());
  w.U8(type);
  return key;
}

Result<telemetry::EventKey> ParsePageKey(std::string_view text) {
  ByteReader r(text);
  telemetry::EventKey key;
  key.time = FromMillis(r.SignedVarint());
  auto id = Id128::FromBytes(r.Raw(16));
  key.type = static_cast<model::ViolationEventType>(r.U8());
  if (!r.ok() || !r.AtEnd() || !id) return Error(Code::kInvalidArgument, "nextToken is not valid");
  key.violation = *id;
  return key;
}

}  // namespace

Result<std::vector<AlarmQuery::Place>> AlarmQuery::Newest(const ViolationFilter& filter,
                                                          const std::optional<Place>& behind, std::size_t most) const {
  std::vector<Place> places;  // a heap with the oldest on top
  Status fault;
  FW_TRY(telemetry::ScanActive(store_, [&](const model::ViolationId& id, std::string_view value) {
    auto start = DecodeActiveStart(value);
    if (!start.ok()) {
      fault = start.error();
      return false;
    }
    const Place place(*start, id);
    if (behind && place >= *behind) return true;
    const bool full = places.size() == most;
    if ((full && place < places.front()) || !MayMatch(filter, value)) return true;
    if (full) {
      std::pop_heap(places.begin(), places.end(), std::greater<>());
      places.back() = place;
    } else {
      places.push_back(place);
    }
    std::push_heap(places.begin(), places.end(), std::greater<>());
    return true;
  }));
  FW_TRY(fault);
  std::sort(places.begin(), places.end(), std::greater<>());
  return places;
}

Result<ActivePage> AlarmQuery::Active(const ViolationFilter& filter, std::string_view from, std::size_t limit) const {
  // Newest first; start time and id make the order total and stable between pages. There may be as many alarms as
  // things, so a page decodes only what it shows, and a scan keeps only as many places as the page needs: more each
  // time when what it finds does not pass the filter.
  std::optional<Place> behind;
  if (!from.empty()) {
    FW_ASSIGN(telemetry::EventKey key, ParsePageKey(from));
    behind = Place(key.time, key.violation);
  }
  ActivePage page;
  for (std::size_t most = limit + 1;; most *= kWider) {
    FW_ASSIGN(std::vector<Place> places, Newest(filter, behind, most));
    for (const Place& place : places) {
      FW_ASSIGN(auto violation, FindActive(place.second));
      if (!violation || !Matches(filter, *violation)) continue;
      Verification verification = verifications_.Get(place.second);
      if (filter.verification && *filter.verification != verification.state) continue;
      if (page.items.size() == limit) {
        page.next = PageKey(page.items.back().start_time, page.items.back().violation_id, 0);
        return page;
      }
      violation->verification = verification.state;
      violation->verification_description = verification.description;
      page.items.push_back(std::move(*violation));
    }
    if (places.size() < most) return page;
    behind = places.back();
  }
}

Result<EventPage> AlarmQuery::Events(const ViolationFilter& filter, Timestamp start, Timestamp end,
                                     std::string_view from, std::size_t limit) const {
  std::optional<telemetry::EventKey> before;
  if (!from.empty()) {
    FW_ASSIGN(before, ParsePageKey(from));
  }
  EventPage page;
  Status fault;
  // A thing's name may have belonged to several entities over time, so the filter looks at names.
  FW_TRY(telemetry::ScanEvents(store_, start, end, before, std::nullopt,
                               [&](const telemetry::EventKey&, std::string_view value) {
                                 if (!MayMatch(filter, value)) return true;
                                 auto event = DecodeEvent(value);
                                 if (!event.ok()) {
                                   fault = event.error();
                                   return false;
                                 }
                                 if (!Matches(filter, *event)) return true;
                                 Verification verification = verifications_.Get(event->violation_id);
                                 if (filter.verification && *filter.verification != verification.state) return true;
                                 if (page.items.size() == limit) {
                                   const model::ViolationEvent& last = page.items.back().event;
                                   page.next = PageKey(last.time, last.violation_id,
                                                       static_cast<std::uint8_t>(last.type));
                                   return false;
                                 }
                                 page.items.push_back({std::move(*event), std::move(verification)});
                                 return true;
                               }));
  FW_TRY(fault);
  return page;
}

Result<std::vector<model::ViolationEvent>> AlarmQuery::Latest(const model::EntityId& entity, std::string_view behavior,
                                                              Timestamp now, std::size_t most) const {
  std::vector<model::ViolationEvent> latest;
  Status fault;
  FW_TRY(telemetry::ScanEvents(store_, now - kept_, now + std::chrono::hours(24), std::nullopt, entity,
                               [&](const telemetry::EventKey&, std::string_view value) {
                                 auto event = DecodeEvent(value);
                                 if (!event.ok()) {
                                   fault = event.error();
                                   return false;
                                 }
                                 if (behavior.empty() || event->behavior.name.value() == behavior) {
                                   latest.push_back(std::move(*event));
                                 }
                                 return latest.size() < most;
                               }));
  FW_TRY(fault);
  return latest;
}

Result<std::optional<model::ActiveViolation>> AlarmQuery::FindActive(const model::ViolationId& id) const {
  FW_ASSIGN(auto row, telemetry::GetActive(store_, id));
  if (!row) return std::optional<model::ActiveViolation>();
  FW_ASSIGN(model::ActiveViolation violation, DecodeActive(*row));
  return std::optional(std::move(violation));
}

Result<std::optional<model::EntityId>> AlarmQuery::EntityOf(const model::ViolationId& id, Timestamp now) const {
  FW_ASSIGN(auto active, FindActive(id));
  if (active) return std::optional(active->entity);
  std::optional<model::EntityId> found;
  Status fault;
  FW_TRY(telemetry::ScanEvents(store_, now - kept_, now + std::chrono::hours(24), std::nullopt, std::nullopt,
                               [&](const telemetry::EventKey& key, std::string_view value) {
                                 if (key.violation != id) return true;
                                 auto event = DecodeEvent(value);
                                 if (event.ok()) {
                                   found = event->entity;
                                 } else {
                                   fault = event.error();
                                 }
                                 return false;
                               }));
  FW_TRY(fault);
  return found;
}

}  // namespace fleetward::alarms
