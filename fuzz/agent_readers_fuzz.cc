// What the agent reads and did not write: /proc files, sock_diag datagrams, recordings, spool files. The first byte
// says which.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "collectors/netlink/netlink_collector.h"
#include "collectors/procfs/proc_net.h"
#include "collectors/procfs/process_table.h"
#include "collectors/replay/replay_collector.h"
#include "spool.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::agent;
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  SocketTable table;
  switch (data[0] % 6) {
    case 0: ParseSocketTable(text, SocketKind::kTcp, table); break;
    case 1: ParseSocketTable(text, SocketKind::kUdp, table); break;
    case 2: {
      std::vector<InterfaceCounters> interfaces;
      static_cast<void>(ParseNetDev(text, interfaces));
      break;
    }
    case 3: {
      Process process;
      if (ParseStat(text, process) && process.name.size() > text.size()) abort();
      break;
    }
    case 4: {
      std::vector<std::uint32_t> aligned(text.size() / 4 + 1);
      if (!text.empty()) std::memcpy(aligned.data(), text.data(), text.size());
      std::string_view bytes(reinterpret_cast<const char*>(aligned.data()), text.size());
      static_cast<void>(ParseDiagMessages(bytes, false, 0, table));
      break;
    }
    default: {
      auto report = DecodeSpoolFile(text);
      if (report.ok() && EncodeSpoolFile(*report) != text) abort();
      static_cast<void>(ReplayCollector::Parse(text));
    }
  }
  return 0;
}
