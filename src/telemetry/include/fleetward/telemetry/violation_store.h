// Violation events and active violations as rows (D12). The owner of alarms encodes the values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/model/violation.h"
#include "fleetward/store/block_store.h"

namespace fleetward::telemetry {

struct EventKey {
  Timestamp time{};
  model::ViolationId violation;
  model::ViolationEventType type = model::ViolationEventType::kInAlarm;
  auto operator<=>(const EventKey&) const = default;
};

// Errors of all that read: kIo, kCorrupt (damage of the store; of ScanEvents also a row that makes no sense); of
// ExpireEvents kUnavailable too (disk full).

/// Adds an event; the same key again overwrites it. Kept Retention::event_days.
void PutEvent(store::Batch& batch, const EventKey& key, const model::EntityId& entity, std::string_view value);
/// Time of the oldest event; nothing when there is none.
Result<std::optional<Timestamp>> OldestEvent(const store::BlockStore& store);
/// Removes events with an earlier time, `most` of them. `from` is where the last call ended, empty at first and when no
/// more are left: a walk from the front would step over all that was removed. Background work.
Status ExpireEvents(store::BlockStore& store, Timestamp before, std::size_t most, std::string& from);

void PutActive(store::Batch& batch, const model::ViolationId& id, std::string_view value);
void DeleteActive(store::Batch& batch, const model::ViolationId& id);

/// Calls fn(key, value) for events with start <= time <= end, newest first, until it returns false. `before`: only
/// events that come after this one in that order (the last one of the page before). `entity`: of one thing only.
Status ScanEvents(const store::BlockStore& store, Timestamp start, Timestamp end,
                  const std::optional<EventKey>& before, const std::optional<model::EntityId>& entity,
                  const std::function<bool(const EventKey&, std::string_view value)>& fn);
/// The row of an active violation; nothing when there is none.
Result<std::optional<std::string>> GetActive(const store::BlockStore& store, const model::ViolationId& id);
/// Calls fn(id, value) for all active violations by id, until it returns false. Keys of another length are left out.
Status ScanActive(const store::BlockStore& store,
                  const std::function<bool(const model::ViolationId&, std::string_view value)>& fn);

}  // namespace fleetward::telemetry
