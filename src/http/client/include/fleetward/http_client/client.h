// A blocking HTTP client over libcurl, for the command line's calls to the server.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::http {

struct ClientCall {
  std::string method = "GET";
  std::string url;                 // https://host:port/target; sent as it is
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string ca_file;             // the only CA that is trusted
  int timeout_seconds = 30;
};

struct ClientAnswer {
  int status = 0;
  std::string body;                // at most 16 MiB
};

/// Errors: kUnavailable (no connection, TLS refused), kTimeout.
Result<ClientAnswer> Perform(const ClientCall& call);

}  // namespace fleetward::http
