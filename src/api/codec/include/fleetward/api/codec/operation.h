// What the service model says about an operation, as data: the routing table's row.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fleetward::api {

enum class Protocol : std::uint8_t { kRestJson, kQuery };

/// What a caller must be allowed to do: viewers read, operators also act (cut a device off, judge an alarm, publish),
/// administrators also configure. The table is tools/apigen/scope.json.
enum class Access : std::uint8_t { kRead, kAct, kConfigure };

struct OperationInfo {
  std::string_view service;         // "iot", "iot-data", "sns", "sts"
  std::string_view name;            // "CreateThing"
  Protocol protocol = Protocol::kRestJson;
  std::string_view method;          // "POST"
  std::string_view uri;             // "/things/{thingName}"; "{topic+}" takes slashes too
  Access access = Access::kConfigure;
  bool offered = true;              // false: the model has it, Fleetward does not
  std::string_view result_wrapper;  // query protocol: "CreateTopicResult", or empty
  std::span<const std::string_view> errors;  // exceptions the model allows for this operation
};

}  // namespace fleetward::api
