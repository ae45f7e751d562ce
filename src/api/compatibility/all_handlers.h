// A router with every handler that the server registers, over services in memory.
#pragma once

#include <memory>

#include "fleetward/api/core/router.h"

namespace fleetward::api {

/// Keeps the services that the handlers refer to.
class AllHandlers {
 public:
  AllHandlers();
  ~AllHandlers();
  const Router& router() const;

 private:
  struct Services;
  std::unique_ptr<Services> services_;
};

}  // namespace fleetward::api
