// Handlers of the data plane: messages published through the API.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/api/core/router.h"
#include "fleetward/base/result.h"

namespace fleetward::api {

/// One page of a listing of retained messages.
struct RetainedSummary {
  std::string topic;
  std::int64_t modified_ms = 0;
  std::uint64_t payload_bytes = 0;
  int qos = 0;
};

/// What a message carries beside its payload, for subscribers that speak MQTT 5.
struct MessageProperties {
  std::optional<bool> utf8;
  std::optional<std::uint32_t> expiry_seconds;
  std::optional<std::string> content_type, response_topic;
  std::optional<std::string> correlation_data;  // any bytes
  std::vector<std::pair<std::string, std::string>> user;
};

/// What the handlers ask of the broker's side. Errors of all: kUnavailable.
struct DataPlane {
  std::function<Status(const std::string& topic, std::string_view payload, int qos, bool retain,
                       const MessageProperties& properties)>
      publish;
  /// Summary and payload; nothing when nothing is retained there.
  std::function<Result<std::optional<std::pair<RetainedSummary, std::string>>>(const std::string& topic)> retained;
  /// By topic, after `after`; one more than `limit` when there are more.
  std::function<Result<std::vector<RetainedSummary>>(const std::string& after, std::size_t limit)> list_retained;
  /// False when there is no such client, connected or with a session.
  std::function<Result<bool>(const std::string& client_id, bool clean_session, bool send_will)> delete_connection;
};

void RegisterIotDataHandlers(Router& router, DataPlane plane);

}  // namespace fleetward::api
