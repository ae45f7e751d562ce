// Lines of the broker's log, which hold client ids that anybody chose, and the datagrams made of them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "fleetward/report/reason_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ForEachReason(text, [&](std::string_view id, DisconnectReason) {
    if (id.data() < text.data() || id.data() + id.size() > text.data() + text.size()) std::abort();
  });
  auto line = ParseReasonLine(text);
  if (!line) return 0;
  if (line->client_id.data() < text.data() || line->client_id.size() > text.size()) std::abort();
  std::string datagram;
  AppendReason(line->client_id, line->reason, datagram);
  std::size_t entries = 0;
  ForEachReason(datagram, [&](std::string_view id, DisconnectReason reason) {
    if (id != line->client_id || reason != line->reason) std::abort();
    ++entries;
  });
  if (entries != (line->client_id.size() > 255 ? 0 : 1)) std::abort();
  return 0;
}
