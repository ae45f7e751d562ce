// The event log's segment reader on any bytes: every record it gives lies inside, in order, and damage is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "log/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::store;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  SegmentHeader header = ParseSegmentHeader(bytes).value_or(SegmentHeader{1, true});
  LogPosition first = header.first;
  if (size < kSegmentHeaderBytes || first > UINT64_MAX / 2) return 0;
  SegmentScan scan = ScanSegment(bytes, first, header.marks_ends);
  if (scan.end > size || scan.next < first) abort();
  LogPosition before = first;
  for (const LogDamage& damage : scan.damage) {
    if (damage.first < before || damage.last < damage.first || damage.last >= scan.next) abort();
    before = damage.last + 1;
  }
  return 0;
}
