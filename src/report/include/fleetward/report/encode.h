// Reports as our agent sends them (reference: agent-protocol.md §2). Target fleetward::report.
#pragma once

#include <cstdint>
#include <string>

#include "fleetward/report/metric_report.h"

namespace fleetward::report {

/// Field names: `listening_tcp_ports` or `tp`. Names inside a custom metric and `spooled_at` have no short form.
enum class Names : std::uint8_t { kLong, kShort };

/// Replaces the content of `out` (keeping its capacity) by the report. What is absent is left out; `metrics` is always
/// there, custom metrics with a fault are left out. Text must be UTF-8, numbers finite.
void EncodeReport(const MetricReport& report, Format format, Names names, std::string& out);

}  // namespace fleetward::report
