// What the service answers on `…/accepted` and `…/rejected` (reference: agent-protocol.md §4). Target fleetward::report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::report {

inline constexpr std::string_view kInvalidPayload = "InvalidPayload";
inline constexpr std::string_view kThrottled = "Throttled";

struct Answer {
  std::string thing_name;                     // from the topic
  std::optional<std::uint64_t> report_id;     // nothing: the header could not be read
  bool accepted = true;
  std::string error_code;                     // rejected only: kInvalidPayload, kThrottled
  std::string error_message;
  Timestamp timestamp{};                      // sent as Unix milliseconds
  bool operator==(const Answer&) const = default;
};

/// Replaces the content of `out` by the answer.
///   {"thingName":"sensor-7","reportId":1700000300,"status":"ACCEPTED","timestamp":1700000301123}
void EncodeAnswer(const Answer& answer, Format format, std::string& out);

/// Reads an answer (agent). Unknown members are skipped; `status` is required. Error: kInvalidArgument.
Result<Answer> DecodeAnswer(std::string_view payload, Format format);

}  // namespace fleetward::report
