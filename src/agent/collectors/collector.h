// What a collector delivers. A sample is reused: buffers keep their capacity from one collection to the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::agent {

/// Connections kept for the list of a report; beyond, they are only counted. Bounds the agent's memory.
inline constexpr std::size_t kMaxKeptConnections = 65536;
inline constexpr std::size_t kMaxKeptPorts = 65536;

/// The machine's sockets at one moment.
struct SocketTable {
  std::vector<std::uint16_t> tcp_listening;              // a row per listening socket, so a port may repeat
  std::vector<std::uint16_t> udp_listening;              // bound and unconnected
  std::vector<report::RemoteEndpoint> connections;       // ESTABLISHED; at most kMaxKeptConnections
  std::size_t established = 0;                           // all of them

  void Clear() {
    tcp_listening.clear();
    udp_listening.clear();
    connections.clear();
    established = 0;
  }
  void AddConnection(const report::RemoteEndpoint& remote) {
    ++established;
    if (connections.size() < kMaxKeptConnections) connections.push_back(remote);
  }
  static void AddPort(std::vector<std::uint16_t>& ports, std::uint16_t port) {
    if (ports.size() < kMaxKeptPorts) ports.push_back(port);
  }
};

/// Cumulative counters of one network interface, as the kernel keeps them.
struct InterfaceCounters {
  std::string name;
  std::uint64_t bytes_in = 0, packets_in = 0, bytes_out = 0, packets_out = 0;
  bool operator==(const InterfaceCounters&) const = default;
};

/// Where sockets and counters come from: the kernel, a folder of /proc files, or a recording.
class Collector {
 public:
  virtual ~Collector() = default;
  /// Fills cleared tables. Errors: kIo, kNotFound, kCorrupt; the tables are then not to be used.
  virtual Status Sockets(SocketTable& table) = 0;
  virtual Status Interfaces(std::vector<InterfaceCounters>& interfaces) = 0;
};

}  // namespace fleetward::agent
