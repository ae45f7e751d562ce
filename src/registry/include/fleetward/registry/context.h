// What every registry service needs. All referenced objects outlive the services.
#pragma once

#include "fleetward/base/clock.h"
#include "fleetward/model/arns.h"
#include "fleetward/registry/changes.h"
#include "fleetward/registry/enforcement.h"
#include "fleetward/registry/quotas.h"
#include "fleetward/store/control_store.h"

namespace fleetward::registry {

struct Context {
  store::ControlStore& store;
  const Clock& clock;
  model::Arns arns;
  Quotas quotas;
  const ChangeHub& changes;
  Enforcement& enforcement;
};

}  // namespace fleetward::registry
