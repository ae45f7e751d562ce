// Stored violation events and active violations: what decodes must encode to something that decodes to the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "fleetward/alarms/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::alarms;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto event = DecodeEvent(bytes); event.ok()) {
    std::string once = EncodeEvent(*event);
    auto again = DecodeEvent(once);
    if (!again.ok() || EncodeEvent(*again) != once) std::abort();
  }
  if (auto active = DecodeActive(bytes); active.ok()) {
    std::string once = EncodeActive(*active);
    auto again = DecodeActive(once);
    if (!again.ok() || EncodeActive(*again) != once) std::abort();
    auto head = DecodeHead(bytes);
    auto start = DecodeActiveStart(bytes);
    if (!head.ok() || head->thing != active->thing_name.value() || head->profile != active->profile.value()) std::abort();
    if (!start.ok() || *start != active->start_time) std::abort();
  } else {
    (void)DecodeHead(bytes).ok();
    (void)DecodeActiveStart(bytes).ok();
  }
  return 0;
}
