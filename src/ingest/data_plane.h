// The data plane: messages, retained messages and connections of clients, for iot-data calls.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command_book.h"
#include "control_link.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/ingest/data_plane.h"
#include "fleetward/mqtt/client.h"
#include "fleetward/report/frames.h"
#include "fleetward/store/control_store.h"
#include "retained_index.h"

namespace fleetward::ingest {

/// Thread-safe until Stop. The calls are those of Pipeline.
class DataPlane {
 public:
  /// `store` may be null: of retained messages nothing is known then.
  DataPlane(ControlLink& control, store::ControlStore* store, const Clock& clock, CounterRegistry& counters);

  Result<bool> DeleteConnection(const std::string& client_id, bool clean_session, bool send_will);
  Result<std::optional<RetainedMessage>> Retained(const std::string& topic);
  Result<std::vector<RetainedSummary>> ListRetained(const std::string& after, std::size_t limit);
  Status Publish(const std::string& topic, std::string_view payload, int qos, bool retain,
                 const mqtt::Properties& properties);

  /// What brokers tell; neither blocks.
  void Note(const report::RetainedEntry& entry);
  void Done(const report::DoneFrame& frame) { commands_.Done(frame); }
  /// Writes what was noted. No call follows.
  void Stop() { retained_.reset(); }

 private:
  Status DropExpired(std::vector<RetainedSummary>& entries);

  ControlLink& control_;
  const Clock& clock_;
  CommandBook commands_;
  std::unique_ptr<RetainedIndex> retained_;
};

}  // namespace fleetward::ingest
