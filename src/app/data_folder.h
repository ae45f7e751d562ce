// Names inside a data folder, and the files that others script against (issue "Fixed names", D33).
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::app {

/// Paths below `root`; `root` is "." in processes that live inside the folder (see EnterFolder).
struct DataFolder {
  explicit DataFolder(std::string root) : root_(std::move(root)) {}

  std::string root() const { return root_; }
  std::string In(std::string_view name) const { return root_ + '/' + std::string(name); }
  std::string endpoint() const { return In("endpoint.json"); }
  std::string ca() const { return In("ca.pem"); }
  std::string credentials() const { return In("credentials"); }
  std::string control_database() const { return In("control.db"); }
  std::string secret() const { return In("secret"); }

 private:
  std::string root_;
};

struct Endpoint {
  std::string api;        // "https://127.0.0.1:8443"
  std::string mqtt_host;
  int mqtt_port = 8883;
  std::string ca;         // absolute path
};
Status WriteEndpoint(const DataFolder& folder, const Endpoint& endpoint);
/// Errors: kNotFound (not serving yet), kCorrupt.
Result<Endpoint> ReadEndpoint(const DataFolder& folder);

struct Credentials {
  std::string access_key_id;
  std::string secret;
  std::string region;
};
/// An AWS shared credentials file with the profile "fleetward", 0600.
Status WriteCredentials(const DataFolder& folder, const Credentials& credentials);
/// Errors: kNotFound, kCorrupt, kIo (another user's file).
Result<Credentials> ReadCredentials(const DataFolder& folder);

/// Absolute form of a path, without touching the file system beyond the working folder.
std::string Absolute(const std::string& path);

}  // namespace fleetward::app
