// What people said of a violation (PutVerificationStateOnViolation, detect.md §4). Kept by violationId in the control
// plane, so that it outlives the alarm.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/model/violation.h"
#include "fleetward/store/control_store.h"

namespace fleetward::alarms {

struct Verification {
  model::VerificationState state = model::VerificationState::kUnknown;
  std::string description;
};

class VerificationBook {
 public:
  VerificationBook(store::ControlStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  Status Put(std::string_view actor, const model::ViolationId& id, const Verification& verification);
  /// UNKNOWN without a description when nothing was said, or the store cannot be read.
  Verification Get(const model::ViolationId& id) const;
  /// Forgets what is older than violations are kept (30 days).
  Status Expire();

 private:
  store::ControlStore& store_;
  const Clock& clock_;
};

}  // namespace fleetward::alarms
