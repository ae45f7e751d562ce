// Whatever bytes arrive as a JSON report: what we accept must be JSON to another parser too, and survive the log.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "fleetward/report/decode.h"
#include "fleetward/report/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  static JsonDecoder decoder;
  static MetricReport report, back;
  std::string_view payload(reinterpret_cast<const char*>(data), size);
  const bool ok = decoder.Decode(payload, report).ok();
  // In place, with bytes behind it that would go well with what it ends in.
  for (const char* behind : {"}", "]", "\""}) {
    static std::string text;
    text = payload;
    while (text.size() < size + kDecodeSlack) text += behind;
    bool same = decoder.Decode(std::string_view(text).substr(0, size), back, text.size() - size).ok() == ok;
    if (!same || (ok && !(back == report))) std::abort();
  }
  if (!ok) return 0;
  if (payload.ends_with('\0')) payload.remove_suffix(1);
  if (!nlohmann::json::accept(payload)) std::abort();
  std::string record;
  EncodeRecord(report, record);
  if (!DecodeRecord(record, back).ok() || !(back == report)) std::abort();
  return 0;
}
