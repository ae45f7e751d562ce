// What the operator's plain listener (loopback by default, threats.md m) answers.
#pragma once

#include <functional>
#include <string>

#include "fleetward/base/counters.h"
#include "fleetward/http/message.h"

namespace fleetward::http {

/// One line for a person, and whether a load balancer should send traffic.
struct Health {
  bool ok = true;
  std::string text = "ok";
};

/// GET /metrics (Prometheus text form) and GET /healthz (200 or 503). `counters` outlives the handler.
Handler AdminHandler(const CounterRegistry& counters, std::function<Health()> health);

}  // namespace fleetward::http
