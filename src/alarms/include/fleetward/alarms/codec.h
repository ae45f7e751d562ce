// Violation events and active violations as stored bytes (docs/storage-telemetry.md: events family values).
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/model/violation.h"

namespace fleetward::alarms {

std::string EncodeEvent(const model::ViolationEvent& event);
/// Errors: kCorrupt.
Result<model::ViolationEvent> DecodeEvent(std::string_view bytes);

/// The verification state is not part of it: it lives in the control plane (verification.h).
std::string EncodeActive(const model::ActiveViolation& violation);
Result<model::ActiveViolation> DecodeActive(std::string_view bytes);

}  // namespace fleetward::alarms
