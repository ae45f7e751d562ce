// The whole server process of `fleetward serve`: opens, wires, starts and stops every part, in order.
#pragma once

#include <memory>
#include <string>

#include "data_folder.h"
#include "fleetward/base/result.h"
#include "fleetward/config/server_options.h"

namespace fleetward::app {

class Server {
 public:
  /// `folder` is the working folder. Errors: what kept it from serving.
  static Result<std::unique_ptr<Server>> Start(const DataFolder& folder, const config::ServerOptions& options);
  ~Server();

  /// Stops taking requests, applies what is queued, leaves nothing to replay.
  void Stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fleetward::app
