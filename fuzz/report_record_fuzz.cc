// Whatever bytes lie in the log: what decodes is encoded and decoded again to the same.
#include <cstdlib>

#include "fleetward/report/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  static MetricReport report, back;
  if (!DecodeRecord({reinterpret_cast<const char*>(data), size}, report).ok()) return 0;
  std::string record, again;
  EncodeRecord(report, record);
  if (!DecodeRecord(record, back).ok()) std::abort();
  EncodeRecord(back, again);
  if (again != record) std::abort();
  return 0;
}
