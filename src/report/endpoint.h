// The `remote_addr` of a connection: an address and mostly a port.
#pragma once

#include <optional>
#include <string_view>

#include "fleetward/report/metric_report.h"

namespace fleetward::report {

/// Reads "1.2.3.4:443", "[2001:db8::1]:443", "2001:db8::1:443" (some agents write no brackets: what follows the last
/// colon is the port when what precedes it is an address), and any of them without a port. A zone (%eth0) is dropped.
/// False: no such thing, `out` is then unspecified.
bool ParseEndpoint(std::string_view text, RemoteEndpoint& out);

/// Bytes that must be readable from the first on for the two below.
inline constexpr std::size_t kEndpointBytes = 48;
/// ParseEndpoint for "1.2.3.4:443" alone, by far the most frequent form, ended by a quote. False: another form or none.
bool ParseQuotedV4(const char* text, RemoteEndpoint& out);
/// The same for a text whose length is known.
bool ParseV4(std::string_view text, RemoteEndpoint& out);

/// Plain address or prefix, zone dropped.
std::optional<model::IpPrefix> ParseAddress(std::string_view text);

}  // namespace fleetward::report
