#include "fleetward/telemetry/violation_store.h"

#include "fleetward/telemetry/layout.h"
#include "keys.h"

namespace fleetward::telemetry {
namespace {

// First byte of a key in the events family.
constexpr char kByTime = 't', kByThing = 'e', kActive = 'a';
constexpr std::size_t kOrderBytes = 8 + 16 + 1;   // time, violation, type
constexpr std::int64_t kOffset = std::int64_t{1} << 62;  // times before 1970 sort too

void PutId(std::string& key, const Id128& id) {
  PutBigEndian(key, id.high, 8);
  PutBigEndian(key, id.low, 8);
}
Id128 GetId(std::string_view bytes) { return {GetBigEndian(bytes.substr(0, 8)), GetBigEndian(bytes.substr(8, 8))}; }

void PutTime(std::string& key, Timestamp time) { PutBigEndian(key, static_cast<std::uint64_t>(ToMillis(time) + kOffset), 8); }

void PutOrder(std::string& key, const EventKey& event) {
  PutTime(key, event.time);
  PutId(key, event.violation);
  key.push_back(static_cast<char>(event.type));
}
EventKey GetOrder(std::string_view bytes) {
  EventKey event;
  event.time = FromMillis(static_cast<std::int64_t>(GetBigEndian(bytes.substr(0, 8))) - kOffset);
  event.violation = GetId(bytes.substr(8, 16));
  event.type = static_cast<model::ViolationEventType>(bytes[24]);
  return event;
}

std::string TimePrefix() { return std::string(1, kByTime); }
std::string ThingPrefix(const model::EntityId& entity) {
  std::string key(1, kByThing);
  PutId(key, entity);
  return key;
}

}  // namespace

void PutEvent(store::Batch& batch, const EventKey& event, const model::EntityId& entity, std::string_view value) {
  std::string by_time = TimePrefix(), by_thing = ThingPrefix(entity), row;
  PutOrder(by_time, event);
  PutOrder(by_thing, event);
  PutId(row, entity);
  row.append(value);
  batch.Put(kFamilyEvents, by_time, row);
  batch.Put(kFamilyEvents, by_thing, row);
}

Status ScanEvents(const store::BlockStore& store, Timestamp start, Timestamp end, const std::optional<EventKey>& before,
                  const std::optional<model::EntityId>& entity,
                  const std::function<bool(const EventKey&, std::string_view value)>& fn) {
  if (start > end) return {};
  const std::string prefix = entity ? ThingPrefix(*entity) : TimePrefix();
  std::string from = prefix, until = prefix;
  PutTime(from, start);
  PutTime(until, end + Millis(1));
  if (before) {
    std::string last = prefix;
    PutOrder(last, *before);
    until = std::min(until, last);
  }
  auto view = store.NewView();
  auto cursor = view->NewCursor(kFamilyEvents);
  for (cursor->SeekBefore(until); cursor->Valid() && cursor->key() >= from; cursor->Prev()) {
    std::string_view key = cursor->key(), value = cursor->value();
    if (key.size() != prefix.size() + kOrderBytes || value.size() < 16) {
      return Error(Code::kCorrupt, "a violation event's row makes no sense");
    }
    if (!fn(GetOrder(key.substr(prefix.size())), value.substr(16))) return {};
  }
  return cursor->status();
}

Result<std::optional<Timestamp>> OldestEvent(const store::BlockStore& store) {
  std::optional<Timestamp> oldest;
  FW_TRY(store.Scan(kFamilyEvents, TimePrefix(), std::string(1, kByTime + 1), [&](std::string_view key, auto) {
    if (key.size() == 1 + kOrderBytes) oldest = GetOrder(key.substr(1)).time;
    return !oldest;
  }));
  return oldest;
}

Status ExpireEvents(store::BlockStore& store, Timestamp before, std::size_t most, std::string& from) {
  std::string until = TimePrefix();
  PutTime(until, before);
  std::string begin = from.empty() ? TimePrefix() : from, end;
  store::Batch batch;
  FW_TRY(store.Scan(kFamilyEvents, begin, until, [&](std::string_view key, std::string_view value) {
    if (key.size() == 1 + kOrderBytes && value.size() >= 16) {
      batch.Delete(kFamilyEvents, ThingPrefix(GetId(value)).append(key.substr(1)));
    }
    end.assign(key).push_back('\0');
    return batch.size() < most;
  }));
  if (!end.empty()) batch.DeleteRange(kFamilyEvents, begin, end);
  FW_TRY(store.Write(batch));
  from = std::move(end);
  return {};
}

void PutActive(store::Batch& batch, const model::ViolationId& id, std::string_view value) {
  std::string key(1, kActive);
  PutId(key, id);
  batch.Put(kFamilyEvents, key, value);
}

void DeleteActive(store::Batch& batch, const model::ViolationId& id) {
  std::string key(1, kActive);
  PutId(key, id);
  batch.Delete(kFamilyEvents, key);
}

Result<std::optional<std::string>> GetActive(const store::BlockStore& store, const model::ViolationId& id) {
  std::string key(1, kActive);
  PutId(key, id);
  return store.Get(kFamilyEvents, key);
}

Status ScanActive(const store::BlockStore& store,
                  const std::function<bool(const model::ViolationId&, std::string_view value)>& fn) {
  std::string from(1, kActive), until(1, kActive + 1);
  return store.Scan(kFamilyEvents, from, until, [&](std::string_view key, std::string_view value) {
    return key.size() != 17 || fn(GetId(key.substr(1)), value);
  });
}

}  // namespace fleetward::telemetry
