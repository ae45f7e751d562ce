// Parsers of /proc/net/{tcp,tcp6,udp,udp6,dev} (kernel documentation: networking/proc_net_tcp, filesystems/proc).
// They take text, so that tests and fuzzers can hand them any.
#pragma once

#include <string_view>
#include <vector>

#include "collectors/collector.h"

namespace fleetward::agent {

enum class SocketKind { kTcp, kUdp };

/// Adds the rows of one table; IPv4 and IPv6 tables are told apart by the width of the address. Lines that make no
/// sense are skipped and counted in the result (a kernel may cut a table off while it changes).
std::size_t ParseSocketTable(std::string_view text, SocketKind kind, SocketTable& table);

/// Replaces `interfaces`, keeping its strings' buffers. Error: kCorrupt (no line could be read).
Status ParseNetDev(std::string_view text, std::vector<InterfaceCounters>& interfaces);

}  // namespace fleetward::agent
