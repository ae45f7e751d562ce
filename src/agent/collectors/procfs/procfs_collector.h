// Sockets and counters from files: /proc/net of this machine, or DIR/1/net of a host's /proc that is mounted in a
// container (D39).
#pragma once

#include <array>
#include <memory>
#include <string>

#include "collectors/collector.h"
#include "collectors/procfs/text_file.h"

namespace fleetward::agent {

class ProcfsCollector : public Collector {
 public:
  /// `net_folder` holds tcp, tcp6, udp, udp6 and dev. A missing tcp6 or udp6 is a machine without IPv6.
  explicit ProcfsCollector(const std::string& net_folder);
  Status Sockets(SocketTable& table) override;
  Status Interfaces(std::vector<InterfaceCounters>& interfaces) override;

 private:
  TextFile tcp_, tcp6_, udp_, udp6_, dev_;
};

}  // namespace fleetward::agent
