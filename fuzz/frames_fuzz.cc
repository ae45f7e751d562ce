// Bytes as an edge might send them: no input may crash or read outside; what decodes encodes again to the same values.
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "fleetward/report/frames.h"

using namespace fleetward;
using namespace fleetward::report;

namespace {

auto Values(const HelloFrame& f) {
  return std::tuple(f.protocol_version, f.plugin_start, f.next_seq, f.event_time_ms, f.edge_id);
}
auto Values(const WelcomeFrame& f) { return std::tuple(f.protocol_version, f.acked_seq); }
auto Values(const AckFrame& f) { return std::tuple(f.acked_seq); }
auto Values(const ClockFrame& f) {
  return std::tuple(f.event_time_ms, f.monotonic_ms, f.step_ms, f.policy_version, f.connected_clients);
}
auto Values(const ReportFrame& f) {
  return std::tuple(f.event_time_ms, f.format, f.flags, f.thing, f.client_id, f.fingerprint, f.payload);
}
auto Values(const CountersFrame& f) {
  return std::tuple(f.event_time_ms, f.bucket_start_ms, f.bucket_length_ms, f.flags, f.count, f.records);
}
auto Values(const CounterRecord& r) {
  return std::tuple(r.flags, r.dimension, r.client_id, r.fingerprint, r.source_ip, r.messages_sent, r.bytes_sent,
                    r.max_payload, r.min_payload, r.messages_received, r.authorization_failures,
                    r.connection_attempts, r.disconnects, r.messages_discarded);
}
auto Values(const ConnectedFrame& f) {
  return std::tuple(f.event_time_ms, f.connection, f.version_number, f.protocol, f.clean_session, f.client_id,
                    f.fingerprint, f.source_ip);
}
auto Values(const DisconnectedFrame& f) {
  return std::tuple(f.event_time_ms, f.connection, f.version_number, f.reason, f.client_id, f.fingerprint, f.source_ip);
}
auto Values(const RefusedFrame& f) {
  return std::tuple(f.event_time_ms, f.reason, f.count, f.client_id, f.fingerprint, f.source_ip, f.topic);
}
auto Values(const DroppedFrame& f) {
  return std::tuple(f.event_time_ms, f.counter_records, f.events, f.other_reports, f.count, f.entries);
}
auto Values(const DroppedEntry& e) { return std::tuple(e.thing, e.reports); }
auto Values(const AppliedFrame& f) { return std::tuple(f.event_time_ms, f.policy_version, f.ok); }
auto Values(const UnregisteredFrame& f) {
  return std::tuple(f.event_time_ms, f.fingerprint, f.client_id, f.source_ip, f.der);
}
auto Values(const RetainedFrame& f) { return std::tuple(f.count, f.entries); }
auto Values(const RetainedEntry& e) { return std::tuple(e.topic, e.time_ms, e.qos, e.payload_bytes, e.may_expire); }
auto Values(const DoneFrame& f) { return std::tuple(f.request, f.found); }

template <class Frame>
void Encode(std::uint64_t seq, const Frame& frame, std::string& out) {
  if constexpr (requires { EncodeFrame(frame, out); }) {
    EncodeFrame(frame, out);
  } else {
    EncodeFrame(seq, frame, out);
  }
}

template <class Frame>
void RoundTrip(const RawFrame& raw, Result<Frame> (*decode)(std::string_view)) {
  Result<Frame> frame = decode(raw.body);
  if (!frame.ok()) return;
  std::string bytes;
  Encode(raw.seq, *frame, bytes);
  if (bytes.size() > kMaxFrameBytes) return;
  std::string_view view = bytes;
  auto taken = TakeFrame(view);
  if (!taken.ok() || !taken->has_value() || !view.empty() || (*taken)->type != raw.type) __builtin_trap();
  Result<Frame> again = decode((*taken)->body);
  if (!again.ok() || Values(*again) != Values(*frame)) __builtin_trap();
}

/// The records of a frame, each by itself.
template <class Frame, class Record>
void RoundTripRecords(const RawFrame& raw, Result<Frame> (*decode)(std::string_view),
                      Result<std::optional<Record>> (*next)(Frame&), void (*append)(const Record&, std::string&),
                      std::string_view Frame::* records) {
  auto frame = decode(raw.body);
  if (!frame.ok()) return;
  for (;;) {
    auto record = next(*frame);
    if (!record.ok() || !record->has_value()) return;
    std::string bytes;
    append(**record, bytes);
    Frame alone;
    alone.count = 1;
    alone.*records = bytes;
    auto again = next(alone);
    if (!again.ok() || !again->has_value() || Values(**again) != Values(**record)) __builtin_trap();
  }
}

void DecodeBody(const RawFrame& frame) {
  switch (frame.type) {
    case FrameType::kHello: return RoundTrip(frame, DecodeHello);
    case FrameType::kClock: return RoundTrip(frame, DecodeClock);
    case FrameType::kReport: return RoundTrip(frame, DecodeReport);
    case FrameType::kConnected: return RoundTrip(frame, DecodeConnected);
    case FrameType::kDisconnected: return RoundTrip(frame, DecodeDisconnected);
    case FrameType::kRefused: return RoundTrip(frame, DecodeRefused);
    case FrameType::kApplied: return RoundTrip(frame, DecodeApplied);
    case FrameType::kUnregistered: return RoundTrip(frame, DecodeUnregistered);
    case FrameType::kDone: return RoundTrip(frame, DecodeDone);
    case FrameType::kWelcome: return RoundTrip(frame, DecodeWelcome);
    case FrameType::kAck: return RoundTrip(frame, DecodeAck);
    case FrameType::kRetained:
      RoundTrip(frame, DecodeRetained);
      return RoundTripRecords(frame, DecodeRetained, NextRetained, AppendRetained, &RetainedFrame::entries);
    case FrameType::kCounters:
      RoundTrip(frame, DecodeCounters);
      return RoundTripRecords(frame, DecodeCounters, NextCounter, AppendCounter, &CountersFrame::records);
    case FrameType::kDropped:
      RoundTrip(frame, DecodeDropped);
      return RoundTripRecords(frame, DecodeDropped, NextDropped, AppendDropped, &DroppedFrame::entries);
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
