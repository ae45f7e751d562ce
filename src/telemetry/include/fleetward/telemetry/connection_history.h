// Connects, disconnects and refusals, kept Retention::connection_days.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/model/ip_address.h"
#include "fleetward/model/names.h"
#include "fleetward/store/block_store.h"
#include "fleetward/store/event_log.h"

namespace fleetward::telemetry {

/// The numbers are stored.
enum class ConnectionEventType : std::uint8_t { kConnect = 0, kDisconnect = 1, kRefused = 2 };

/// Entity of what happened to every connection at once: the broker went (reason BROKER_STARTED, when it is back).
inline constexpr model::EntityId kEveryThing{~std::uint64_t{0}, ~std::uint64_t{0}};

struct ConnectionEvent {
  ConnectionEventType type = ConnectionEventType::kConnect;
  model::EntityId entity;              // zero when it is nobody's
  Timestamp time{};                    // event time
  std::string certificate_id;          // 64 hex digits, or empty
  std::string client_id;
  std::optional<model::IpAddress> address;
  std::uint16_t port = 0;
  std::string reason;                  // of a disconnect or refusal; a word of a closed set
  Timestamp connected_at{};            // of a disconnect: when that connection began; zero = not known
  bool operator==(const ConnectionEvent&) const = default;
};

/// `position`: of the log record, which makes the row's key unique and replay harmless. `ordinal`: of the event in
/// that record.
void PutConnectionEvent(store::Batch& batch, const ConnectionEvent& event, store::LogPosition position,
                        std::uint32_t ordinal = 0);

/// Events of one thing (or of all: entity absent) with start <= time <= end, in time order per thing and day, days in
/// order, until fn returns false. Errors: kCorrupt, kIo.
Status ScanConnections(const store::BlockStore& store, const std::optional<model::EntityId>& entity, Timestamp start,
                       Timestamp end, const std::function<bool(const ConnectionEvent&)>& fn);

}  // namespace fleetward::telemetry
