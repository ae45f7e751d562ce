// What the data plane knows of retained messages.
#pragma once

#include <cstdint>
#include <string>

namespace fleetward::ingest {

struct RetainedSummary {
  std::string topic;
  std::int64_t modified_ms = 0;
  std::uint64_t payload_bytes = 0;
  int qos = 0;
};

struct RetainedMessage {
  RetainedSummary summary;
  std::string payload;
};

}  // namespace fleetward::ingest
