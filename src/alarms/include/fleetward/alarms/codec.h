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

/// What lists are first filtered by, of either; the texts lie in the row. Costs a fraction of the whole.
struct ViolationHead {
  std::string_view thing, profile;
};
Result<ViolationHead> DecodeHead(std::string_view bytes);
/// Start time of an active violation, by which lists are ordered.
Result<Timestamp> DecodeActiveStart(std::string_view bytes);

}  // namespace fleetward::alarms
