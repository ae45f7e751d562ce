// How the command line talks to a running server: the signed HTTPS API with the data folder's credentials.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "data_folder.h"
#include "fleetward/base/result.h"

namespace fleetward::app {

class LocalClient {
 public:
  /// Reads endpoint.json and credentials. Errors: kNotFound (nothing serves this folder), kIo.
  static Result<LocalClient> Open(const DataFolder& folder);

  /// Calls `target` ("/fleetward/v1/status"); the answer's JSON. Errors: kUnavailable, and the server's own message.
  Result<nlohmann::json> Call(std::string_view method, const std::string& target, const std::string& body = {}) const;
  const Endpoint& endpoint() const { return endpoint_; }
  const Credentials& credentials() const { return credentials_; }

 private:
  LocalClient(Endpoint endpoint, Credentials credentials)
      : endpoint_(std::move(endpoint)), credentials_(std::move(credentials)) {}
  Endpoint endpoint_;
  Credentials credentials_;
};

}  // namespace fleetward::app
