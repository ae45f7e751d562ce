// What is known of one thing right now: `fleetward status THING` and `fleetward why` (D36) print it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/detect/sink.h"
#include "fleetward/model/names.h"

namespace fleetward::ingest {

struct ThingReport {
  bool known = false;
  model::EntityId entity;
  std::string name;
  bool registered = false;
  std::uint32_t open_connections = 0;
  Timestamp last_report{};                              // epoch: none yet
  std::uint64_t last_report_id = 0;
  Timestamp last_connection_change{};
  std::string last_client_id;
  std::string last_address;
  std::vector<std::pair<Timestamp, std::string>> faults;  // newest last
  std::vector<detect::BehaviorExplanation> behaviors;
};

}  // namespace fleetward::ingest
