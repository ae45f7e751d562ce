// Records of the event log: what decodes must encode to something that decodes to the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "fleetward/ingest/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::ingest;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(EntityOf(bytes));
  auto record = DecodeLogRecord(bytes);
  if (!record.ok()) return 0;
  std::string once, twice;
  EncodeLogRecord(*record, once);
  auto again = DecodeLogRecord(once);
  if (!again.ok() || again->index() != record->index() || EntityOf(once) != EntityOf(bytes)) std::abort();
  EncodeLogRecord(*again, twice);
  if (once != twice) std::abort();
  return 0;
}
