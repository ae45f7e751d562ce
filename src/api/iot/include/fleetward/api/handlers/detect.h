// Handlers of Detect's operations: security profiles, custom metrics, dimensions, violations, metric values.
#pragma once

#include <functional>
#include <vector>

#include "fleetward/alarms/alarm_query.h"
#include "fleetward/alarms/verification.h"
#include "fleetward/api/core/router.h"
#include "fleetward/detect/engine.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/registry.h"
#include "fleetward/telemetry/query.h"

namespace fleetward::api {

/// What the handlers ask; all of it outlives the router.
struct DetectServices {
  registry::Registry& registry;
  const registry::Directory& directory;
  const telemetry::Query& telemetry;
  const alarms::AlarmQuery& alarms;
  alarms::VerificationBook& verifications;
  /// How far the models of ML behaviors are. Unset: there are none.
  std::function<std::vector<detect::TrainingSummary>()> training = {};
  /// Told after a verification was stored.
  std::function<void(const model::EntityId&, const model::ViolationId&, model::VerificationState)> verified = {};
};

void RegisterDetectHandlers(Router& router, const DetectServices& services);

}  // namespace fleetward::api
