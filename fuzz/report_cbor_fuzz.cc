// Whatever bytes arrive as a CBOR report: what we accept survives the log and our own encoder.
#include <cstdlib>

#include "fleetward/report/decode.h"
#include "fleetward/report/encode.h"
#include "fleetward/report/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fleetward::report;
  static CborDecoder decoder;
  static MetricReport report, back;
  if (!decoder.Decode({reinterpret_cast<const char*>(data), size}, report).ok()) return 0;
  std::string bytes;
  EncodeRecord(report, bytes);
  if (!DecodeRecord(bytes, back).ok() || !(back == report)) std::abort();
  EncodeReport(report, Format::kCbor, Names::kShort, bytes);
  if (bytes.size() <= kMaxPayloadBytes && !decoder.Decode(bytes, back).ok()) std::abort();
  return 0;
}
