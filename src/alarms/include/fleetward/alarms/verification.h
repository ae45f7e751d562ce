// What people said of a violation (PutVerificationStateOnViolation, detect.md §4). Kept by violationId in the control
// plane, so that it outlives the alarm.
#pragma once

#include <functional>
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
  /// `kept`: how long violation events are.
  VerificationBook(store::ControlStore& store, const Clock& clock, Millis kept = std::chrono::days(30))
      : store_(store), clock_(clock), kept_(kept) {}

  /// Durable when it returns; replaces what was said before. Errors: kUnavailable (disk full or failing), kCorrupt.
  Status Put(std::string_view actor, const model::ViolationId& id, const Verification& verification);
  /// UNKNOWN without a description when nothing was said, or the store cannot be read.
  Verification Get(const model::ViolationId& id) const;
  /// Forgets what was said longer ago than violation events are kept, and a day; not of an alarm that is `on`.
  /// By the wall clock, all at once. Errors as Put's.
  Status Expire(const std::function<bool(const model::ViolationId&)>& on);

 private:
  store::ControlStore& store_;
  const Clock& clock_;
  const Millis kept_;
};

}  // namespace fleetward::alarms
