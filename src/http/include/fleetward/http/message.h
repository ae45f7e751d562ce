// HTTP messages as handlers see them: nothing decoded, nothing dropped (SigV4 needs the raw target, D26).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetward::http {

using Header = std::pair<std::string, std::string>;

struct Request {
  std::string method;               // "GET"
  std::string target;               // as sent: "/things/a%3Ab?x=1"
  std::vector<Header> headers;      // in the order sent, names as sent
  std::string body;
  std::string remote_address;       // "192.0.2.7"

  /// First header of that name (any case), or null.
  const std::string* FindHeader(std::string_view name) const;
};

/// `Content-Length`, `Date` and `Connection` are the server's to add.
struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
  bool close = false;               // end the connection after this answer
};

/// Answers one request. Runs on the server's handler threads, may block, must be thread-safe.
using Handler = std::function<Response(const Request&)>;

/// True when header names are equal in any case.
bool SameHeaderName(std::string_view a, std::string_view b);

}  // namespace fleetward::http
