// Who changed what, when, from where, with what result.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/time.h"

namespace fleetward::api {

/// One call that may change something, or was refused. Never holds bodies: they may carry secrets.
struct OperatorEntry {
  Timestamp time{};
  std::string request_id;
  std::string access_key_id;     // empty for an unsigned call
  std::string role;              // "admin", or empty
  std::string remote_address;
  std::string service;           // "iot"
  std::string operation;         // "CreateThing"
  std::string target;            // method and path without the query string: "POST /things/pump-1"
  int status = 0;
  std::string exception;         // "", or "AccessDeniedException"
};

/// Called on handler threads after the answer is decided; must be thread-safe and must not fail the call.
class OperatorLog {
 public:
  virtual ~OperatorLog() = default;
  virtual void Record(const OperatorEntry& entry) = 0;
};

}  // namespace fleetward::api
