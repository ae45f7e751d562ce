// Violations: what the engine decides and what the API lists (reference: detect.md §4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/time.h"
#include "fleetward/model/behavior.h"
#include "fleetward/model/names.h"

namespace fleetward::model {

/// Values are stored: never change them.
enum class ViolationEventType : std::uint8_t { kInAlarm = 0, kAlarmCleared = 1, kAlarmInvalidated = 2 };
constexpr std::string_view ViolationEventTypeName(ViolationEventType type) {
  switch (type) {
    case ViolationEventType::kInAlarm: return "in-alarm";
    case ViolationEventType::kAlarmCleared: return "alarm-cleared";
    case ViolationEventType::kAlarmInvalidated: return "alarm-invalidated";
  }
  return "";
}

/// Values are stored: never change them.
enum class VerificationState : std::uint8_t { kUnknown = 0, kTruePositive = 1, kBenignPositive = 2, kFalsePositive = 3 };
constexpr std::string_view VerificationStateName(VerificationState state) {
  switch (state) {
    case VerificationState::kUnknown: return "UNKNOWN";
    case VerificationState::kTruePositive: return "TRUE_POSITIVE";
    case VerificationState::kBenignPositive: return "BENIGN_POSITIVE";
    case VerificationState::kFalsePositive: return "FALSE_POSITIVE";
  }
  return "";
}

using ViolationId = Id128;  // D10; printed as 32 lower-case hex digits

/// One transition of one alarm. `reason` is our own, additive account of why (data for `fleetward why`).
struct ViolationEvent {
  ViolationId violation_id;
  EntityId entity;
  ThingName thing_name;
  SecurityProfileName profile;
  Behavior behavior;                  // the definition that was judged
  MetricValue metric_value;           // monostate for alarm-invalidated
  std::optional<ConfidenceLevel> confidence;
  ViolationEventType type = ViolationEventType::kInAlarm;
  Timestamp time{};                   // event time of the datapoint that made the transition
  std::string reason;
};

/// An alarm that is on.
struct ActiveViolation {
  ViolationId violation_id;
  EntityId entity;
  ThingName thing_name;
  SecurityProfileName profile;
  Behavior behavior;
  MetricValue last_value;
  std::optional<ConfidenceLevel> confidence;
  VerificationState verification = VerificationState::kUnknown;
  std::string verification_description;
  Timestamp last_violation_time{};
  Timestamp start_time{};
};

}  // namespace fleetward::model
