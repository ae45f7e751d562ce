// Commands on $CONTROL, lines of the broker's log and datagrams of reasons: whatever comes, nothing is read outside.
#include <cstdint>
#include <string_view>

#include "fleetward/report/edge_command.h"
#include "fleetward/report/reason_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto command = DecodeEdgeCommand(bytes); command.ok()) {
    (void)EncodeEdgeCommand(*command);
    for (std::string_view rest = command->messages;;) {
      auto next = NextPublication(rest);
      if (!next.ok() || !*next) break;
    }
  }
  (void)ParseReasonLine(bytes);
  std::size_t total = 0;
  ForEachReason(bytes, [&](std::string_view id, DisconnectReason) { total += id.size(); });
  if (total > size) __builtin_trap();
  return 0;
}
