// Why a client's connection ended, read from the broker's log line (the only place that says so; components.md §2.1),
// and the datagrams in which the supervisor hands that to the plugin. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/report/frames.h"

namespace fleetward::report {

struct ReasonLine {
  std::string_view client_id;  // view into the line
  DisconnectReason reason = DisconnectReason::kUnknown;
};

/// Reads one line of Mosquitto 2.0's log ("1700000000: Client X closed its connection."), from its end: client ids may
/// hold any text. Nothing for other lines.
std::optional<ReasonLine> ParseReasonLine(std::string_view line);

/// Datagram entries: u8 reason, u8 length, client id. Ids over 255 bytes are left out.
void AppendReason(std::string_view client_id, DisconnectReason reason, std::string& datagram);
void ForEachReason(std::string_view datagram, const std::function<void(std::string_view, DisconnectReason)>& visit);

}  // namespace fleetward::report
