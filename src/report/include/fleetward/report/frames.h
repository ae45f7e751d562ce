// Edge frames: what the broker's plugin and the server say to each other over one byte stream (docs/frames.md is
// byte-exact). Pure codec: decoding yields views into the caller's buffer, encoding appends to a string.
//
// Every frame: u32 size of what follows, u8 type, u8 flags (0), u16 zero, u64 sequence number, body; little-endian.
// The plugin numbers its frames from 1 at each start; Hello, Welcome and Ack carry number 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"

namespace fleetward::report {

inline constexpr std::uint16_t kFrameProtocolVersion = 2;
inline constexpr std::size_t kFrameHeaderBytes = 16;
/// Largest frame accepted, header included. The largest report is 128 KB, the largest counter batch 64 KB.
inline constexpr std::size_t kMaxFrameBytes = 512 * 1024;
/// SHA-256 of a certificate's DER form, raw. An empty view or 32 zero bytes mean: no certificate was seen.
inline constexpr std::size_t kFingerprintBytes = 32;

/// On the wire: values never change.
enum class FrameType : std::uint8_t {
  kHello = 1,
  kClock = 2,
  kReport = 3,
  kCounters = 4,
  kConnected = 5,
  kDisconnected = 6,
  kRefused = 7,
  kDropped = 8,
  kApplied = 9,
  kUnregistered = 10,
  kRetained = 11,
  kDone = 12,
  kWelcome = 64,
  kAck = 65,
};

/// One frame in a buffer; `body` is a view.
struct RawFrame {
  FrameType type{};
  std::uint64_t seq = 0;
  std::string_view body;
  /// Header and body as they came, for a log that stores frames as they are.
  std::string_view whole;
  /// Bytes that are readable behind `whole`; they may be anything.
  std::size_t slack = 0;
};

/// Takes the first whole frame off `buffer`. Nothing when it holds less than one frame. Error kCorrupt: a size that
/// cannot be; the stream is then beyond repair and has to be closed. Unknown types are returned as they are.
Result<std::optional<RawFrame>> TakeFrame(std::string_view& buffer);

// --- plugin to server -----------------------------------------------------------------------------------------

/// First on every connection.
struct HelloFrame {
  std::uint16_t protocol_version = kFrameProtocolVersion;
  /// Random at each start of the plugin: sequence numbers belong to it.
  Id128 plugin_start;
  /// The number the next new frame will get; lower ones that are not acknowledged follow again.
  std::uint64_t next_seq = 1;
  /// Event time now (milliseconds since the epoch; D1).
  std::int64_t event_time_ms = 0;
  std::string_view edge_id;
};

/// Each second, also when idle. All frames of earlier event times came before it (D2).
struct ClockFrame {
  std::int64_t event_time_ms = 0;
  std::int64_t monotonic_ms = 0;
  /// Not 0: the wall clock stepped by so many milliseconds since the previous Clock frame (D1).
  std::int64_t step_ms = 0;
  /// Policy snapshot that decides now; 0: none yet, all are refused.
  std::uint64_t policy_version = 0;
  std::uint32_t connected_clients = 0;
};

/// On the wire: values never change.
enum class ReportFormat : std::uint8_t { kJson = 0, kCbor = 1 };

/// A publish to $aws/things/{thing}/defender/metrics/{format} that policy allowed.
struct ReportFrame {
  /// The sender subscribed to the report's accepted or rejected topic: an answer has a reader.
  static constexpr std::uint8_t kAnswerSubscribed = 1;
  /// The sender's client id is not the thing of the topic.
  static constexpr std::uint8_t kForeignThing = 2;
  std::int64_t event_time_ms = 0;
  ReportFormat format = ReportFormat::kJson;
  std::uint8_t flags = 0;
  /// From the topic; not checked against the registry.
  std::string_view thing;
  std::string_view client_id;
  std::string_view fingerprint;
  std::string_view payload;
};

/// What one client did in a part of one bucket. All numbers are deltas since the last record of this client.
struct CounterRecord {
  /// The client is connected (so a record of zeros is a datapoint 0; detect.md §2).
  static constexpr std::uint8_t kConnected = 1;
  std::uint8_t flags = 0;
  /// 0: all topics; else the dimension's number from the policy snapshot.
  std::uint32_t dimension = 0;
  std::string_view client_id;
  std::string_view fingerprint;
  /// Text of the address the client is or was connected from; may be empty.
  std::string_view source_ip;
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  /// Largest payload in this part of the bucket, bytes (D41).
  std::uint64_t max_payload = 0;
  /// Smallest, when anything was sent: a lower limit judges every message.
  std::uint64_t min_payload = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t authorization_failures = 0;
  std::uint64_t connection_attempts = 0;
  std::uint64_t disconnects = 0;
  /// Publishes over the connection's rate or the certificate's caps: thrown away, not in messages_sent.
  std::uint64_t messages_discarded = 0;
};

/// Records of one bucket (D3). Read the records with NextCounter.
struct CountersFrame {
  /// The last flush of its bucket: every connected client has a record in this or an earlier frame of the flush.
  static constexpr std::uint8_t kBucketEnd = 1;
  /// The bucket was cut or opened by a step of the wall clock (D1).
  static constexpr std::uint8_t kClockStep = 2;
  std::int64_t event_time_ms = 0;   // when they were taken; in the bucket
  std::int64_t bucket_start_ms = 0;
  std::int64_t bucket_length_ms = 0;
  std::uint8_t flags = 0;
  std::uint32_t count = 0;
  std::string_view records;
};

struct ConnectedFrame {
  std::int64_t event_time_ms = 0;
  /// Number of the connection within this plugin start: the same in its Disconnected frame (sessionIdentifier).
  std::uint64_t connection = 0;
  /// Counts the connections of this client id; 0 at first, and again after an hour offline (core.md §7).
  std::uint64_t version_number = 0;
  std::uint8_t protocol = 4;  // 3 = MQTT 3.1, 4 = 3.1.1, 5
  bool clean_session = true;
  std::string_view client_id;
  std::string_view fingerprint;
  std::string_view source_ip;
};

/// On the wire: values never change. Names as in core.md §7.
enum class DisconnectReason : std::uint8_t {
  kUnknown = 0,
  kAuthError = 1,
  kClientInitiated = 2,
  kClientError = 3,
  kConnectionLost = 4,
  kDuplicateClientId = 5,
  kForbiddenAccess = 6,
  kKeepAliveTimeout = 7,
  kServerError = 8,
  kServerInitiated = 9,
  kApiInitiated = 10,
  kThrottled = 11,
};
/// "CLIENT_INITIATED_DISCONNECT", "UNKNOWN", ….
std::string_view DisconnectReasonName(DisconnectReason reason);

struct DisconnectedFrame {
  std::int64_t event_time_ms = 0;
  std::uint64_t connection = 0;
  std::uint64_t version_number = 0;
  DisconnectReason reason = DisconnectReason::kUnknown;
  std::string_view client_id;
  std::string_view fingerprint;
  std::string_view source_ip;
};

/// On the wire: values never change.
enum class RefusalReason : std::uint8_t {
  kUnknown = 0,
  kNoHandshake = 1,         // the TLS handshake never completed: no certificate is known
  kNoConnect = 2,           // handshake done, no acceptable CONNECT followed
  kNoSnapshot = 3,          // cold start: no policy snapshot yet
  kUnknownCertificate = 4,
  kCertificateNotActive = 5,
  kCertificateExpired = 6,  // or not valid yet
  kPolicy = 7,              // iot:Connect not allowed
  kClientId = 8,            // too long, reserved or not UTF-8
  kLimit = 9,               // too many sessions or client ids of this certificate
  kNoCertificate = 10,
  kDenied = 11,             // a publish or subscribe was denied; `topic` says which
  kUntrusted = 12,          // the handshake failed: the certificate's chain does not hold
  kWithoutCa = 13,          // the same for a certificate that is registered without a CA (D29)
};
inline constexpr RefusalReason kLastRefusalReason = RefusalReason::kWithoutCa;
std::string_view RefusalReasonName(RefusalReason reason);

/// A refused CONNECT, a connection that never came so far, or (kDenied) a refused publish or subscribe.
struct RefusedFrame {
  std::int64_t event_time_ms = 0;
  RefusalReason reason = RefusalReason::kUnknown;
  /// How many like it this frame stands for (floods are summed up per second); at least 1.
  std::uint32_t count = 1;
  std::string_view client_id;
  std::string_view fingerprint;
  std::string_view source_ip;
  /// Topic or filter of a kDenied event, else empty.
  std::string_view topic;
};

/// A CONNECT was refused whose certificate is signed by a trusted CA and not registered, or waits for its activation: a
/// CA with auto-registration may know it. At most some each second.
struct UnregisteredFrame {
  std::int64_t event_time_ms = 0;
  std::string_view fingerprint;
  std::string_view client_id;
  std::string_view source_ip;
  std::string_view der;
};

/// Retained messages that changed since the last such frame, each topic once. Read them with NextRetained.
struct RetainedFrame {
  std::uint32_t count = 0;
  std::string_view entries;
};
struct RetainedEntry {
  std::string_view topic;
  std::int64_t time_ms = 0;
  std::uint8_t qos = 0;
  std::uint64_t payload_bytes = 0;  // 0: the topic holds no message any more
  bool may_expire = false;          // of MQTT 5; when, the broker tells no plugin
};

/// Answer to a command that carries a request number.
struct DoneFrame {
  std::uint64_t request = 0;
  bool found = false;  // there is such a client, connected or with a session
};

/// What the bounded buffer could not take while the server was away. Read the entries with NextDropped.
struct DroppedFrame {
  std::int64_t event_time_ms = 0;
  /// Counter records lost with their bucket, and connection events lost.
  std::uint64_t counter_records = 0;
  std::uint64_t events = 0;
  /// Reports of things beyond the bounded table of names.
  std::uint64_t other_reports = 0;
  std::uint32_t count = 0;
  std::string_view entries;
};
struct DroppedEntry {
  std::string_view thing;
  std::uint64_t reports = 0;
};

/// The plugin enforces this policy snapshot from now on (D42).
struct AppliedFrame {
  std::int64_t event_time_ms = 0;
  std::uint64_t policy_version = 0;
  /// False: the version could not be taken (file missing or corrupt); the previous one stays.
  bool ok = true;
};

// --- server to plugin -----------------------------------------------------------------------------------------

/// Answer to Hello: frames up to here are durable (0: none of this plugin start). Acks say the same later on.
struct WelcomeFrame {
  std::uint16_t protocol_version = kFrameProtocolVersion;
  std::uint64_t acked_seq = 0;
};
struct AckFrame {
  std::uint64_t acked_seq = 0;
};

// --- encoding: each appends one whole frame to `out` ------------------------------------------------------------

void EncodeFrame(const HelloFrame& frame, std::string& out);
void EncodeFrame(const WelcomeFrame& frame, std::string& out);
void EncodeFrame(const AckFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const ClockFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const ReportFrame& frame, std::string& out);
/// `frame.records` are the bytes of `frame.count` AppendCounter calls.
void EncodeFrame(std::uint64_t seq, const CountersFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const ConnectedFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const DisconnectedFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const RefusedFrame& frame, std::string& out);
/// `frame.entries` are the bytes of `frame.count` AppendDropped calls.
void EncodeFrame(std::uint64_t seq, const DroppedFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const AppliedFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const UnregisteredFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const RetainedFrame& frame, std::string& out);
void EncodeFrame(std::uint64_t seq, const DoneFrame& frame, std::string& out);

void AppendCounter(const CounterRecord& record, std::string& records);
void AppendDropped(const DroppedEntry& entry, std::string& entries);
void AppendRetained(const RetainedEntry& entry, std::string& entries);

// --- decoding: bodies of RawFrame; kCorrupt when malformed. Views point into the body ----------------------------

Result<HelloFrame> DecodeHello(std::string_view body);
Result<WelcomeFrame> DecodeWelcome(std::string_view body);
Result<AckFrame> DecodeAck(std::string_view body);
Result<ClockFrame> DecodeClock(std::string_view body);
Result<ReportFrame> DecodeReport(std::string_view body);
Result<CountersFrame> DecodeCounters(std::string_view body);
Result<ConnectedFrame> DecodeConnected(std::string_view body);
Result<DisconnectedFrame> DecodeDisconnected(std::string_view body);
Result<RefusedFrame> DecodeRefused(std::string_view body);
Result<DroppedFrame> DecodeDropped(std::string_view body);
Result<AppliedFrame> DecodeApplied(std::string_view body);
Result<UnregisteredFrame> DecodeUnregistered(std::string_view body);
Result<RetainedFrame> DecodeRetained(std::string_view body);
Result<DoneFrame> DecodeDone(std::string_view body);

/// Takes the next record off `frame.records`; nothing after the last. kCorrupt when malformed.
Result<std::optional<CounterRecord>> NextCounter(CountersFrame& frame);
Result<std::optional<DroppedEntry>> NextDropped(DroppedFrame& frame);
Result<std::optional<RetainedEntry>> NextRetained(RetainedFrame& frame);

}  // namespace fleetward::report
