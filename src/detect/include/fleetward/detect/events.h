// Data events of one shard, in log order. Times are event times (D1); views are used during the call only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "fleetward/base/time.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/ip_address.h"
#include "fleetward/model/names.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::detect {

/// Who an event is about. The name counts only when the entity is not known yet: it then becomes an unregistered thing.
struct ThingRef {
  model::EntityId entity;
  std::string_view name;
};

/// A report that was accepted. Duplicates (D14) and throttled reports never get here.
struct ReportEvent {
  ThingRef thing;
  Timestamp time{};                        // when the edge received it
  const report::MetricReport* report = nullptr;
  bool late = false;                       // behind the watermark when it came (D6); older than the thing's last is too
  bool spooled = false;                    // from the agent's spool (D15): never judged
  bool gap = false;                        // deltas cover an unknown time (reboot, wrap, lost reports): not judged
};

/// What a thing did in a part of one bucket: deltas, added up by the engine (D3, D11).
struct CounterDeltas {
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t max_message_bytes = 0;     // largest payload sent in this part
  std::uint64_t min_message_bytes = 0;     // smallest; used if messages_sent > 0
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::uint64_t connection_attempts = 0;
  std::uint64_t disconnects = 0;
  std::span<const model::IpAddress> source_ips{};  // addresses connected from (in a dimension: sent from)
};

/// The part of the deltas that one dimension's topic filter selects, per operator (detect.md §6).
struct DimensionDeltas {
  std::string_view dimension;
  model::DimensionOperator op = model::DimensionOperator::kIn;
  CounterDeltas deltas{};
};

struct CountsEvent {
  ThingRef thing;
  /// Start of the bucket: a multiple of Options::bucket_seconds.
  Timestamp bucket{};
  /// When the edge sent this part; the time of an early alarm. Taken into the bucket when outside.
  Timestamp time{};
  /// The thing was connected at some moment of the bucket: no events then are a datapoint 0.
  bool connected = false;
  CounterDeltas deltas{};
  std::span<const DimensionDeltas> dimensions{};
};

/// A connect or disconnect of one of the thing's connections (D11).
struct ConnectionEvent {
  ThingRef thing;
  Timestamp time{};
  /// Open connections of the thing after this event: 0 means it went offline.
  std::uint32_t open_connections = 0;
};

}  // namespace fleetward::detect
