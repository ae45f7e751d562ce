// Whatever bytes arrive as a JSON report: what we accept must be JSON to another parser too, and survive the log.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "fleetward/report/decode.h"
#include "fleetward/report/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  static JsonDecoder decoder;
  static MetricReport report, back;
  std::string_view payload(reinterpret_cast<const char*>(data), size);
  if (!decoder.Decode(payload, report).ok()) return 0;
  if (payload.ends_with('\0')) payload.remove_suffix(1);
  if (!nlohmann::json::accept(payload)) std::abort();
  std::string record;
  EncodeRecord(report, record);
  if (!DecodeRecord(record, back).ok() || !(back == report)) std::abort();
  return 0;
}
