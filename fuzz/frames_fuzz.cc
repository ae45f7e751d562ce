// Bytes as an edge might send them: no input may crash or read outside; what decodes encodes again to the same values.
#include <cstdint>
#include <string_view>

#include "fleetward/report/frames.h"

using namespace fleetward::report;

namespace {

void DecodeBody(const RawFrame& frame) {
  switch (frame.type) {
    case FrameType::kHello: (void)DecodeHello(frame.body); break;
    case FrameType::kClock: (void)DecodeClock(frame.body); break;
    case FrameType::kConnected: (void)DecodeConnected(frame.body); break;
    case FrameType::kDisconnected: (void)DecodeDisconnected(frame.body); break;
    case FrameType::kRefused: (void)DecodeRefused(frame.body); break;
    case FrameType::kApplied: (void)DecodeApplied(frame.body); break;
    case FrameType::kUnregistered: (void)DecodeUnregistered(frame.body); break;
    case FrameType::kDone: (void)DecodeDone(frame.body); break;
    case FrameType::kRetained: {
      auto retained = DecodeRetained(frame.body);
      while (retained.ok()) {
        auto entry = NextRetained(*retained);
        if (!entry.ok() || !entry->has_value()) break;
      }
      break;
    }
    case FrameType::kWelcome: (void)DecodeWelcome(frame.body); break;
    case FrameType::kAck: (void)DecodeAck(frame.body); break;
    case FrameType::kReport: {
      auto report = DecodeReport(frame.body);
      if (!report.ok()) break;
      std::string bytes;
      EncodeFrame(frame.seq, *report, bytes);
      std::string_view view = bytes;
      if (bytes.size() > kMaxFrameBytes) break;
      auto again = DecodeReport((*TakeFrame(view).value()).body);
      if (again.value().payload != report->payload) __builtin_trap();
      break;
    }
    case FrameType::kCounters: {
      auto counters = DecodeCounters(frame.body);
      if (!counters.ok()) break;
      for (;;) {
        auto record = NextCounter(*counters);
        if (!record.ok() || !record->has_value()) break;
      }
      break;
    }
    case FrameType::kDropped: {
      auto dropped = DecodeDropped(frame.body);
      if (!dropped.ok()) break;
      for (;;) {
        auto entry = NextDropped(*dropped);
        if (!entry.ok() || !entry->has_value()) break;
      }
      break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view stream(reinterpret_cast<const char*>(data), size);
  for (;;) {
    auto frame = TakeFrame(stream);
    if (!frame.ok() || !frame->has_value()) return 0;
    DecodeBody(**frame);
  }
}
