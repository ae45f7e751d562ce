// Hour and day blocks from any bytes. What decodes must encode and decode to the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "day_block.h"
#include "hour_block.h"

using namespace fleetward::telemetry;

namespace {

/// A day keeps the first value of each.
bool RepeatsASeries(const Sample& sample) {
  for (const Sample::Field& field : sample.fields()) {
    if (sample.Find(field.key) != &field) return true;
  }
  return false;
}

void RoundTrip(const std::vector<Sample>& samples, std::size_t used) {
  if (used == 0) return;
  std::vector<const Sample*> order;
  for (std::size_t i = 0; i < used; ++i) order.push_back(&samples[i]);
  DayEncoder encoder;
  DayDecoder decoder;
  std::vector<Sample> again;
  std::size_t count = 0;
  std::string block(encoder.Encode(order));
  if (!decoder.Decode(block, samples[0].entity, samples[0].source, nullptr, again, count).ok() || count != used) abort();
  for (std::size_t i = 0; i < used; ++i) {
    if (!RepeatsASeries(samples[i]) && !(again[i] == samples[i])) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  std::vector<Sample> samples;
  std::size_t used = 0;
  if (data[0] & 1) {
    if (DecodeHourBlock(bytes, {1, 2}, Source::kDevice, samples, used).ok()) RoundTrip(samples, used);
  } else {
    DayDecoder decoder;
    (void)decoder.Decode(bytes, {1, 2}, Source::kDevice, nullptr, samples, used).ok();
  }
  return 0;
}
