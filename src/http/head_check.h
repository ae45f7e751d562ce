// Is a request's head one that two parsers would read alike? (D46, threats.md l.) Private; knows no transport.
#pragma once

#include <optional>
#include <string>

#include "fleetward/http/message.h"

namespace fleetward::http {

struct Rejection {
  int status = 400;
  std::string why;
};

/// `version` is 10 or 11. Nothing when the head is fine. A rejection is answered once, and the connection closed.
std::optional<Rejection> CheckHead(const Request& head, unsigned version);

/// "200 OK" and so on; the number alone for codes without a usual name.
std::string StatusText(int status);

/// The answer's bytes. `keep_alive` false adds "Connection: close".
std::string Serialize(const Response& response, bool keep_alive, bool head_only, const std::string& date);

}  // namespace fleetward::http
