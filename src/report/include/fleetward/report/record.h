// The compact form of a report in the event log. Byte layout: docs/device-protocol.md. Target fleetward::report.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::report {

/// First byte of a record. A later layout gets the next number; older ones stay readable.
inline constexpr std::uint8_t kRecordVersion = 1;

/// Appends the record of `report` to `out`. DecodeRecord yields an equal report.
void EncodeRecord(const MetricReport& report, std::string& out);

/// Replaces `out` by the report that makes up all of `record`. Errors: kCorrupt (short, trailing bytes, impossible
/// counts, unknown version).
Status DecodeRecord(std::string_view record, MetricReport& out);

}  // namespace fleetward::report
