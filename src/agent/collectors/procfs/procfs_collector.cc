#include "collectors/procfs/procfs_collector.h"

#include "collectors/procfs/proc_net.h"

namespace fleetward::agent {
namespace {

Status Add(TextFile& file, SocketKind kind, bool optional, SocketTable& table) {
  Result<std::string_view> text = file.Read();
  if (!text.ok()) {
    if (optional && text.error().code() == Code::kNotFound) return {};
    return text.error();
  }
  ParseSocketTable(*text, kind, table);
  return {};
}

}  // namespace

ProcfsCollector::ProcfsCollector(const std::string& net_folder)
    : tcp_(net_folder + "/tcp"),
      tcp6_(net_folder + "/tcp6"),
      udp_(net_folder + "/udp"),
      udp6_(net_folder + "/udp6"),
      dev_(net_folder + "/dev") {}

Status ProcfsCollector::Sockets(SocketTable& table) {
  FW_TRY(Add(tcp_, SocketKind::kTcp, false, table));
  FW_TRY(Add(tcp6_, SocketKind::kTcp, true, table));
  FW_TRY(Add(udp_, SocketKind::kUdp, false, table));
  return Add(udp6_, SocketKind::kUdp, true, table);
}

Status ProcfsCollector::Interfaces(std::vector<InterfaceCounters>& interfaces) {
  FW_ASSIGN(std::string_view text, dev_.Read());
  return ParseNetDev(text, interfaces);
}

}  // namespace fleetward::agent
