#include "fleetward/report/frames.h"

#include <cstring>

namespace fleetward::report {
namespace {

constexpr std::string_view kNoFingerprint{
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", kFingerprintBytes};

std::string_view FullFingerprint(std::string_view fingerprint) {
  return fingerprint.size() == kFingerprintBytes ? fingerprint : kNoFingerprint;
}
/// Empty where the frame says that there was none.
std::string_view GetFingerprint(ByteReader& r) {
  std::string_view raw = r.Raw(kFingerprintBytes);
  return raw == kNoFingerprint ? std::string_view() : raw;
}

std::uint64_t LoadLittle(const char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

/// Writes the header, lets `body` append, then patches the size in.
template <class Body>
void Frame(FrameType type, std::uint64_t seq, std::string& out, Body body) {
  std::size_t start = out.size();
  ByteWriter w(out);
  w.U32(0);
  w.U8(static_cast<std::uint8_t>(type));
  w.U8(0);
  w.U16(0);
  w.U64(seq);
  body(w);
  auto size = static_cast<std::uint32_t>(out.size() - start - 4);
  for (std::size_t i = 0; i < 4; ++i) out[start + i] = static_cast<char>(size >> (8 * i));
}

/// A malformed body is an error; bytes after the known members are a later version's and ignored.
template <class T>
Result<T> Done(const ByteReader& r, const T& value, const char* what) {
  if (!r.ok()) return Error(Code::kCorrupt, std::string("truncated ") + what + " frame");
  return value;
}

/// An enumerator of a later version reads as the first one (unknown).
template <class E>
E Known(std::uint8_t value, E last) {
  return value <= static_cast<std::uint8_t>(last) ? static_cast<E>(value) : E{};
}

}  // namespace

Result<std::optional<RawFrame>> TakeFrame(std::string_view& buffer) {
  if (buffer.size() < 4) return std::optional<RawFrame>{};
  std::uint64_t size = LoadLittle(buffer.data(), 4);
  if (size < kFrameHeaderBytes - 4 || size + 4 > kMaxFrameBytes) {
    return Error(Code::kCorrupt, "frame size " + std::to_string(size) + " is out of bounds");
  }
  if (buffer.size() < size + 4) return std::optional<RawFrame>{};
  RawFrame frame;
  frame.whole = buffer.substr(0, size + 4);
  frame.type = static_cast<FrameType>(static_cast<unsigned char>(buffer[4]));
  frame.seq = LoadLittle(buffer.data() + 8, 8);
  frame.body = frame.whole.substr(kFrameHeaderBytes);
  buffer.remove_prefix(size + 4);
  frame.slack = buffer.size();
  return std::optional<RawFrame>(frame);
}

std::string_view DisconnectReasonName(DisconnectReason reason) {
  switch (reason) {
    case DisconnectReason::kAuthError: return "AUTH_ERROR";
    case DisconnectReason::kClientInitiated: return "CLIENT_INITIATED_DISCONNECT";
    case DisconnectReason::kClientError: return "CLIENT_ERROR";
    case DisconnectReason::kConnectionLost: return "CONNECTION_LOST";
    case DisconnectReason::kDuplicateClientId: return "DUPLICATE_CLIENTID";
    case DisconnectReason::kForbiddenAccess: return "FORBIDDEN_ACCESS";
    case DisconnectReason::kKeepAliveTimeout: return "MQTT_KEEP_ALIVE_TIMEOUT";
    case DisconnectReason::kServerError: return "SERVER_ERROR";
    case DisconnectReason::kServerInitiated: return "SERVER_INITIATED_DISCONNECT";
    case DisconnectReason::kApiInitiated: return "API_INITIATED_DISCONNECT";
    case DisconnectReason::kThrottled: return "THROTTLED";
    case DisconnectReason::kUnknown: break;
  }
  return "UNKNOWN";
}

std::string_view RefusalReasonName(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kNoHandshake: return "NO_HANDSHAKE";
    case RefusalReason::kNoConnect: return "NO_CONNECT";
    case RefusalReason::kNoSnapshot: return "NO_SNAPSHOT";
    case RefusalReason::kUnknownCertificate: return "UNKNOWN_CERTIFICATE";
    case RefusalReason::kCertificateNotActive: return "CERTIFICATE_NOT_ACTIVE";
    case RefusalReason::kCertificateExpired: return "CERTIFICATE_EXPIRED";
    case RefusalReason::kPolicy: return "POLICY";
    case RefusalReason::kClientId: return "CLIENT_ID";
    case RefusalReason::kLimit: return "LIMIT";
    case RefusalReason::kNoCertificate: return "NO_CERTIFICATE";
    case RefusalReason::kDenied: return "DENIED";
    case RefusalReason::kUntrusted: return "UNTRUSTED_CERTIFICATE";
    case RefusalReason::kWithoutCa: return "CERTIFICATE_WITHOUT_CA";
    case RefusalReason::kUnknown: break;
  }
  return "UNKNOWN";
}

void EncodeFrame(const HelloFrame& frame, std::string& out) {
  Frame(FrameType::kHello, 0, out, [&](ByteWriter& w) {
    w.U16(frame.protocol_version);
    w.U64(frame.plugin_start.high);
    w.U64(frame.plugin_start.low);
    w.U64(frame.next_seq);
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.Bytes(frame.edge_id);
  });
}

void EncodeFrame(const WelcomeFrame& frame, std::string& out) {
  Frame(FrameType::kWelcome, 0, out, [&](ByteWriter& w) {
    w.U16(frame.protocol_version);
    w.U64(frame.acked_seq);
  });
}

void EncodeFrame(const AckFrame& frame, std::string& out) {
  Frame(FrameType::kAck, 0, out, [&](ByteWriter& w) { w.U64(frame.acked_seq); });
}

void EncodeFrame(std::uint64_t seq, const ClockFrame& frame, std::string& out) {
  Frame(FrameType::kClock, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(static_cast<std::uint64_t>(frame.monotonic_ms));
    w.U64(static_cast<std::uint64_t>(frame.step_ms));
    w.U64(frame.policy_version);
    w.U32(frame.connected_clients);
  });
}

void EncodeFrame(std::uint64_t seq, const ReportFrame& frame, std::string& out) {
  Frame(FrameType::kReport, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U8(static_cast<std::uint8_t>(frame.format));
    w.U8(frame.flags);
    w.Raw(FullFingerprint(frame.fingerprint));
    w.Bytes(frame.thing);
    w.Bytes(frame.client_id);
    w.Bytes(frame.payload);
  });
}

void EncodeFrame(std::uint64_t seq, const CountersFrame& frame, std::string& out) {
  Frame(FrameType::kCounters, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(static_cast<std::uint64_t>(frame.bucket_start_ms));
    w.U64(static_cast<std::uint64_t>(frame.bucket_length_ms));
    w.U8(frame.flags);
    w.U32(frame.count);
    w.Raw(frame.records);
  });
}

void EncodeFrame(std::uint64_t seq, const ConnectedFrame& frame, std::string& out) {
  Frame(FrameType::kConnected, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(frame.connection);
    w.U64(frame.version_number);
    w.U8(frame.protocol);
    w.U8(frame.clean_session ? 1 : 0);
    w.Raw(FullFingerprint(frame.fingerprint));
    w.Bytes(frame.client_id);
    w.Bytes(frame.source_ip);
  });
}

void EncodeFrame(std::uint64_t seq, const DisconnectedFrame& frame, std::string& out) {
  Frame(FrameType::kDisconnected, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(frame.connection);
    w.U64(frame.version_number);
    w.U8(static_cast<std::uint8_t>(frame.reason));
    w.Raw(FullFingerprint(frame.fingerprint));
    w.Bytes(frame.client_id);
    w.Bytes(frame.source_ip);
  });
}

void EncodeFrame(std::uint64_t seq, const RefusedFrame& frame, std::string& out) {
  Frame(FrameType::kRefused, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U8(static_cast<std::uint8_t>(frame.reason));
    w.U32(frame.count);
    w.Raw(FullFingerprint(frame.fingerprint));
    w.Bytes(frame.client_id);
    w.Bytes(frame.source_ip);
    w.Bytes(frame.topic);
  });
}

void EncodeFrame(std::uint64_t seq, const UnregisteredFrame& frame, std::string& out) {
  Frame(FrameType::kUnregistered, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.Raw(FullFingerprint(frame.fingerprint));
    w.Bytes(frame.client_id);
    w.Bytes(frame.source_ip);
    w.Bytes(frame.der);
  });
}

void EncodeFrame(std::uint64_t seq, const RetainedFrame& frame, std::string& out) {
  Frame(FrameType::kRetained, seq, out, [&](ByteWriter& w) {
    w.U32(frame.count);
    w.Raw(frame.entries);
  });
}

void EncodeFrame(std::uint64_t seq, const DoneFrame& frame, std::string& out) {
  Frame(FrameType::kDone, seq, out, [&](ByteWriter& w) {
    w.U64(frame.request);
    w.U8(frame.found ? 1 : 0);
  });
}

constexpr std::uint8_t kMayExpire = 128;  // beside the QoS of a Retained entry

void AppendRetained(const RetainedEntry& entry, std::string& entries) {
  ByteWriter w(entries);
  w.Bytes(entry.topic);
  w.U64(static_cast<std::uint64_t>(entry.time_ms));
  w.U8(static_cast<std::uint8_t>(entry.qos | (entry.may_expire ? kMayExpire : 0)));
  w.Varint(entry.payload_bytes);
}

void EncodeFrame(std::uint64_t seq, const DroppedFrame& frame, std::string& out) {
  Frame(FrameType::kDropped, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(frame.counter_records);
    w.U64(frame.events);
    w.U64(frame.other_reports);
    w.U32(frame.count);
    w.Raw(frame.entries);
  });
}

void EncodeFrame(std::uint64_t seq, const AppliedFrame& frame, std::string& out) {
  Frame(FrameType::kApplied, seq, out, [&](ByteWriter& w) {
    w.U64(static_cast<std::uint64_t>(frame.event_time_ms));
    w.U64(frame.policy_version);
    w.U8(frame.ok ? 1 : 0);
  });
}

void AppendCounter(const CounterRecord& record, std::string& records) {
  ByteWriter w(records);
  w.U8(record.flags);
  w.Varint(record.dimension);
  w.Raw(FullFingerprint(record.fingerprint));
  w.Bytes(record.client_id);
  w.Bytes(record.source_ip);
  w.Varint(record.messages_sent);
  w.Varint(record.bytes_sent);
  w.Varint(record.max_payload);
  w.Varint(record.min_payload);
  w.Varint(record.messages_received);
  w.Varint(record.authorization_failures);
  w.Varint(record.connection_attempts);
  w.Varint(record.disconnects);
  w.Varint(record.messages_discarded);
}

void AppendDropped(const DroppedEntry& entry, std::string& entries) {
  ByteWriter w(entries);
  w.Bytes(entry.thing);
  w.Varint(entry.reports);
}

Result<HelloFrame> DecodeHello(std::string_view body) {
  ByteReader r(body);
  HelloFrame frame;
  frame.protocol_version = r.U16();
  frame.plugin_start.high = r.U64();
  frame.plugin_start.low = r.U64();
  frame.next_seq = r.U64();
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.edge_id = r.Bytes();
  return Done(r, frame, "Hello");
}

Result<WelcomeFrame> DecodeWelcome(std::string_view body) {
  ByteReader r(body);
  WelcomeFrame frame;
  frame.protocol_version = r.U16();
  frame.acked_seq = r.U64();
  return Done(r, frame, "Welcome");
}

Result<AckFrame> DecodeAck(std::string_view body) {
  ByteReader r(body);
  AckFrame frame;
  frame.acked_seq = r.U64();
  return Done(r, frame, "Ack");
}

Result<ClockFrame> DecodeClock(std::string_view body) {
  ByteReader r(body);
  ClockFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.monotonic_ms = static_cast<std::int64_t>(r.U64());
  frame.step_ms = static_cast<std::int64_t>(r.U64());
  frame.policy_version = r.U64();
  frame.connected_clients = r.U32();
  return Done(r, frame, "Clock");
}

Result<ReportFrame> DecodeReport(std::string_view body) {
  ByteReader r(body);
  ReportFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.format = Known(r.U8(), ReportFormat::kCbor);
  frame.flags = r.U8();
  frame.fingerprint = GetFingerprint(r);
  frame.thing = r.Bytes();
  frame.client_id = r.Bytes();
  frame.payload = r.Bytes();
  return Done(r, frame, "Report");
}

Result<CountersFrame> DecodeCounters(std::string_view body) {
  ByteReader r(body);
  CountersFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.bucket_start_ms = static_cast<std::int64_t>(r.U64());
  frame.bucket_length_ms = static_cast<std::int64_t>(r.U64());
  frame.flags = r.U8();
  frame.count = r.U32();
  frame.records = r.Raw(r.remaining());
  return Done(r, frame, "Counters");
}

Result<ConnectedFrame> DecodeConnected(std::string_view body) {
  ByteReader r(body);
  ConnectedFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.connection = r.U64();
  frame.version_number = r.U64();
  frame.protocol = r.U8();
  frame.clean_session = r.U8() != 0;
  frame.fingerprint = GetFingerprint(r);
  frame.client_id = r.Bytes();
  frame.source_ip = r.Bytes();
  return Done(r, frame, "Connected");
}

Result<DisconnectedFrame> DecodeDisconnected(std::string_view body) {
  ByteReader r(body);
  DisconnectedFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.connection = r.U64();
  frame.version_number = r.U64();
  frame.reason = Known(r.U8(), DisconnectReason::kThrottled);
  frame.fingerprint = GetFingerprint(r);
  frame.client_id = r.Bytes();
  frame.source_ip = r.Bytes();
  return Done(r, frame, "Disconnected");
}

Result<RefusedFrame> DecodeRefused(std::string_view body) {
  ByteReader r(body);
  RefusedFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.reason = Known(r.U8(), kLastRefusalReason);
  frame.count = r.U32();
  frame.fingerprint = GetFingerprint(r);
  frame.client_id = r.Bytes();
  frame.source_ip = r.Bytes();
  frame.topic = r.Bytes();
  return Done(r, frame, "Refused");
}

Result<UnregisteredFrame> DecodeUnregistered(std::string_view body) {
  ByteReader r(body);
  UnregisteredFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.fingerprint = GetFingerprint(r);
  frame.client_id = r.Bytes();
  frame.source_ip = r.Bytes();
  frame.der = r.Bytes();
  return Done(r, frame, "Unregistered");
}

Result<RetainedFrame> DecodeRetained(std::string_view body) {
  ByteReader r(body);
  RetainedFrame frame;
  frame.count = r.U32();
  frame.entries = r.Raw(r.remaining());
  return Done(r, frame, "Retained");
}

Result<DoneFrame> DecodeDone(std::string_view body) {
  ByteReader r(body);
  DoneFrame frame;
  frame.request = r.U64();
  frame.found = r.U8() != 0;
  return Done(r, frame, "Done");
}

Result<std::optional<RetainedEntry>> NextRetained(RetainedFrame& frame) {
  if (frame.count == 0) return std::optional<RetainedEntry>();
  ByteReader r(frame.entries);
  RetainedEntry entry;
  entry.topic = r.Bytes();
  entry.time_ms = static_cast<std::int64_t>(r.U64());
  std::uint8_t qos = r.U8();
  entry.qos = static_cast<std::uint8_t>(qos & ~kMayExpire);
  entry.may_expire = (qos & kMayExpire) != 0;
  entry.payload_bytes = r.Varint();
  if (!r.ok()) return Error(Code::kCorrupt, "truncated Retained entry");
  --frame.count;
  frame.entries.remove_prefix(frame.entries.size() - r.remaining());
  return std::optional(entry);
}

Result<DroppedFrame> DecodeDropped(std::string_view body) {
  ByteReader r(body);
  DroppedFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.counter_records = r.U64();
  frame.events = r.U64();
  frame.other_reports = r.U64();
  frame.count = r.U32();
  frame.entries = r.Raw(r.remaining());
  return Done(r, frame, "Dropped");
}

Result<AppliedFrame> DecodeApplied(std::string_view body) {
  ByteReader r(body);
  AppliedFrame frame;
  frame.event_time_ms = static_cast<std::int64_t>(r.U64());
  frame.policy_version = r.U64();
  frame.ok = r.U8() != 0;
  return Done(r, frame, "Applied");
}

Result<std::optional<CounterRecord>> NextCounter(CountersFrame& frame) {
  if (frame.count == 0) return std::optional<CounterRecord>{};
  ByteReader r(frame.records);
  CounterRecord record;
  record.flags = r.U8();
  record.dimension = static_cast<std::uint32_t>(r.Varint());
  record.fingerprint = GetFingerprint(r);
  record.client_id = r.Bytes();
  record.source_ip = r.Bytes();
  record.messages_sent = r.Varint();
  record.bytes_sent = r.Varint();
  record.max_payload = r.Varint();
  record.min_payload = r.Varint();
  record.messages_received = r.Varint();
  record.authorization_failures = r.Varint();
  record.connection_attempts = r.Varint();
  record.disconnects = r.Varint();
  record.messages_discarded = r.Varint();
  if (!r.ok()) return Error(Code::kCorrupt, "truncated counter record");
  --frame.count;
  frame.records.remove_prefix(frame.records.size() - r.remaining());
  return std::optional<CounterRecord>(record);
}

Result<std::optional<DroppedEntry>> NextDropped(DroppedFrame& frame) {
  if (frame.count == 0) return std::optional<DroppedEntry>{};
  ByteReader r(frame.entries);
  DroppedEntry entry;
  entry.thing = r.Bytes();
  entry.reports = r.Varint();
  if (!r.ok()) return Error(Code::kCorrupt, "truncated entry of a Dropped frame");
  --frame.count;
  frame.entries.remove_prefix(frame.entries.size() - r.remaining());
  return std::optional<DroppedEntry>(entry);
}

}  // namespace fleetward::report
