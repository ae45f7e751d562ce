// Sockets by NETLINK_SOCK_DIAG (sock_diag(7)): no text, no rights needed. Counters come from /proc/net/dev.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "collectors/collector.h"
#include "collectors/procfs/text_file.h"
#include "fleetward/base/file.h"

namespace fleetward::agent {

class NetlinkCollector : public Collector {
 public:
  /// Errors: kIo when the kernel or a sandbox offers no NETLINK_SOCK_DIAG. A first dump is made to be sure.
  static Result<std::unique_ptr<NetlinkCollector>> Open();

  Status Sockets(SocketTable& table) override;
  Status Interfaces(std::vector<InterfaceCounters>& interfaces) override;

 private:
  explicit NetlinkCollector(Fd socket);
  Status Dump(const void* request, std::size_t size, SocketTable& table, bool udp);
  Status Udp(std::uint8_t family, SocketTable& table);

  Fd socket_;
  TextFile dev_;
  std::vector<char> buffer_;
  std::uint32_t sequence_ = 0;
};

/// Reads the messages of one datagram of a dump into `table`. True when the dump is done. Errors: kIo (the kernel's
/// error), kCorrupt. For the collector and its fuzzer; `bytes` is aligned to 4.
Result<bool> ParseDiagMessages(std::string_view bytes, bool udp, std::uint32_t sequence, SocketTable& table);

}  // namespace fleetward::agent
