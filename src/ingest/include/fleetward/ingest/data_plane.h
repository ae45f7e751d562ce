// What the data plane knows of retained messages.
#pragma once

#include <cstdint>
#include <string>

namespace fleetward::ingest {

struct RetainedSummary {
  static constexpr std::int64_t kBrokerKnows = -1;  // a device published it by MQTT 5: it may have an end
  std::string topic;
  std::int64_t modified_ms = 0;
  std::uint64_t payload_bytes = 0;
  int qos = 0;
  std::int64_t expires_ms = 0;  // 0: never
};

struct RetainedMessage {
  RetainedSummary summary;
  std::string payload;
};

}  // namespace fleetward::ingest
