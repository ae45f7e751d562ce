#include "frame_converter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fleetward/base/encoding.h"
#include "fleetward/base/log.h"
#include "fleetward/report/answer.h"
#include "fleetward/report/record.h"

namespace fleetward::ingest {
namespace {

constexpr std::size_t kMaxThingNameBytes = 128;

// 64 bits over a report's content; stored, so it must never change. Only the sender itself could profit from a
// collision, and it can repeat a report anyway.
std::uint64_t HashContent(std::string_view payload) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = payload.size() * kMultiplier;
  while (payload.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, payload.data(), 8);
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
    payload.remove_prefix(8);
  }
  std::uint64_t tail = 0;
  std::memcpy(&tail, payload.data(), payload.size());
  hash = (hash ^ tail) * kMultiplier;
  return hash ^ hash >> 29;
}

policy::Fingerprint ToFingerprint(std::string_view raw) {
  policy::Fingerprint fingerprint{};
  if (raw.size() == fingerprint.size()) std::copy(raw.begin(), raw.end(), fingerprint.begin());
  return fingerprint;
}

bool IsThingName(std::string_view name) {
  if (name.empty() || name.size() > kMaxThingNameBytes || !IsUtf8(name)) return false;
  return std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

}  // namespace

FrameConverter::FrameConverter(const registry::Directory& directory, AnswerSink& answers, FaultBook& faults,
                               Listeners listeners, CounterRegistry& counters)
    : directory_(directory),
      answers_(answers),
      faults_(faults),
      listeners_(std::move(listeners)),
      malformed_(counters.AddCounter("fleetward_reports_malformed_total", "Reports refused as malformed.")),
      dropped_reports_(counters.AddCounter("fleetward_edge_dropped_reports_total",
                                           "Reports that the broker's buffer could not keep.")),
      dropped_counters_(counters.AddCounter("fleetward_edge_dropped_counters_total",
                                            "Counter records that the broker's buffer could not keep.")),
      discarded_(counters.AddCounter("fleetward_messages_discarded_total",
                                     "Messages that the broker threw away: over a connection's rate, a certificate's "
                                     "retained topics, or what a client does not read.")),
      ignored_names_(counters.AddCounter("fleetward_names_ignored_total",
                                         "Events of unregistered names beyond the bound.")) {
  for (std::size_t i = 0; i < refusals_.size(); ++i) {
    std::string label = "reason=\"" + std::string(report::RefusalReasonName(report::RefusalReason(i))) + "\"";
    refusals_[i] = &counters.AddCounter("fleetward_refusals_total", "Connections, publishes and subscriptions refused, "
                                        "by reason.", label);
  }
}

void FrameConverter::Announce(std::span<const report::RawFrame> frames) const {
  std::array<std::string_view, kAnnounced> names;
  std::size_t count = 0;
  for (const report::RawFrame& frame : frames.first(std::min(frames.size(), kAnnounced))) {
    if (frame.type != report::FrameType::kReport) continue;
    auto report = report::DecodeReport(frame.body);
    if (report.ok()) names[count++] = report->thing;
  }
  if (count > 1) directory_.Prefetch(std::span(names).first(count));
}

Result<FrameNews> FrameConverter::Convert(const report::RawFrame& frame, const Emit& emit) {
  FrameNews news;
  Status done;
  switch (frame.type) {
    case report::FrameType::kReport: done = OnReport(frame, emit); break;
    case report::FrameType::kCounters: done = OnCounters(frame.body, emit); break;
    case report::FrameType::kConnected: done = OnConnected(frame.body, emit); break;
    case report::FrameType::kDisconnected: done = OnDisconnected(frame.body, emit); break;
    case report::FrameType::kRefused: done = OnRefused(frame.body, emit); break;
    case report::FrameType::kDropped: done = OnDropped(frame.body, emit); break;
    case report::FrameType::kClock: done = OnClock(frame.body, emit, news); break;
    case report::FrameType::kApplied: done = OnApplied(frame.body, news); break;
    case report::FrameType::kUnregistered: done = OnUnregistered(frame.body); break;
    case report::FrameType::kRetained: done = OnRetained(frame.body); break;
    case report::FrameType::kDone: done = OnDone(frame.body); break;
    default: break;  // a later protocol's frame: passed over
  }
  if (!done.ok()) return std::move(done).error();
  return news;
}

registry::ResolvedThing FrameConverter::Resolve(std::string_view client_id, std::string_view fingerprint) {
  registry::ResolvedThing thing = directory_.Resolve(client_id, ToFingerprint(fingerprint));
  if (thing.registered || names_.Allows(fingerprint, thing.entity)) return thing;
  ignored_names_.Add();
  return {};
}

Status FrameConverter::OnReport(const report::RawFrame& raw, const Emit& emit) {
  FW_ASSIGN(report::ReportFrame frame, report::DecodeReport(raw.body));
  if (!IsThingName(frame.thing)) {
    Reject(frame, "the thing's name is too long or holds control characters");
    return {};
  }
  bool cbor = frame.format == report::ReportFormat::kCbor;
  const auto format = cbor ? report::Format::kCbor : report::Format::kJson;
  Status decoded = decoder_.Decode(format, frame.payload, report_, raw.slack);
  if (!decoded.ok()) {
    Reject(frame, decoded.error().detail());
    return {};
  }
  registry::ThingIdentity thing = directory_.Identify(frame.thing);
  if (!thing.registered && !names_.Allows(frame.fingerprint, thing.entity)) {
    ignored_names_.Add();
    return {};
  }
  // A report that the agent repeats from its spool is the same report (D14, D15): the mark does not count.
  auto spooled_at = std::exchange(report_.spooled_at_seconds, std::nullopt);
  body_.clear();
  report::EncodeRecord(report_, body_);
  std::uint64_t hash = HashContent(body_);
  if (spooled_at) {
    report_.spooled_at_seconds = spooled_at;
    body_.clear();
    report::EncodeRecord(report_, body_);
  }
  ReportRecord record;
  record.entity = thing.entity;
  record.thing = frame.thing;
  record.time_ms = frame.event_time_ms;
  record.flags = static_cast<std::uint8_t>(
      (thing.registered ? ReportRecord::kRegistered : 0) | (cbor ? ReportRecord::kCbor : 0) |
      ((frame.flags & report::ReportFrame::kAnswerSubscribed) != 0 ? ReportRecord::kAnswer : 0));
  record.body_hash = hash;
  record.reporter = frame.fingerprint;
  record.body = body_;
  emit(record);
  return {};
}

void FrameConverter::Reject(const report::ReportFrame& frame, std::string_view reason) {
  malformed_.Add();
  log::Info("report-rejected", {{"thing", frame.thing}, {"client", frame.client_id}, {"reason", reason}});
  faults_.Add(directory_.Identify(frame.thing).entity, frame.event_time_ms,
              "malformed report: " + std::string(reason));
  bool cbor = frame.format == report::ReportFormat::kCbor;
  report::Answer answer;
  answer.thing_name = frame.thing;
  answer.report_id = report_.report_id;
  answer.accepted = false;
  answer.error_code = report::kInvalidPayload;
  answer.error_message = report::kMalformedReport;
  answer.timestamp = FromMillis(frame.event_time_ms);
  std::string text;
  report::EncodeAnswer(answer, cbor ? report::Format::kCbor : report::Format::kJson, text);
  answers_.Send("$aws/things/" + std::string(frame.thing) + "/defender/metrics/" + (cbor ? "cbor" : "json") + "/rejected",
                text);
  answers_.Flush();
}

Status FrameConverter::OnCounters(std::string_view body, const Emit& emit) {
  FW_ASSIGN(report::CountersFrame frame, report::DecodeCounters(body));
  bool step = (frame.flags & report::CountersFrame::kClockStep) != 0;
  for (;;) {
    FW_ASSIGN(auto counter, report::NextCounter(frame));
    if (!counter) return {};
    if (counter->dimension == 0) discarded_.Add(counter->messages_discarded);
    if (counter->client_id.empty()) continue;
    registry::ResolvedThing thing = Resolve(counter->client_id, counter->fingerprint);
    if (thing.entity.IsZero()) continue;
    CountsRecord record;
    record.entity = thing.entity;
    record.thing = thing.name.value();
    record.bucket_ms = frame.bucket_start_ms;
    record.time_ms = frame.event_time_ms;
    record.flags = static_cast<std::uint8_t>(
        ((counter->flags & report::CounterRecord::kConnected) != 0 ? CountsRecord::kConnected : 0) |
        (thing.registered ? CountsRecord::kRegistered : 0) | (step ? CountsRecord::kClockStep : 0));
    record.dimension = counter->dimension;
    record.messages_sent = counter->messages_sent;
    record.bytes_sent = counter->bytes_sent;
    record.max_payload = counter->max_payload;
    record.min_payload = counter->min_payload;
    record.messages_received = counter->messages_received;
    record.authorization_failures = counter->authorization_failures;
    record.connection_attempts = counter->connection_attempts;
    record.disconnects = counter->disconnects;
    record.source_ip = counter->source_ip;
    emit(record);
  }
}

Status FrameConverter::OnConnected(std::string_view body, const Emit& emit) {
  FW_ASSIGN(report::ConnectedFrame frame, report::DecodeConnected(body));
  registry::ResolvedThing thing = Resolve(frame.client_id, frame.fingerprint);
  ConnectionRecord record;
  record.entity = thing.entity;
  record.thing = thing.name.value();
  record.kind = ConnectionRecord::Kind::kConnect;
  record.flags = thing.registered ? ConnectionRecord::kRegistered : 0;
  record.time_ms = frame.event_time_ms;
  record.connection = frame.connection;
  record.fingerprint = frame.fingerprint;
  record.client_id = frame.client_id;
  record.source_ip = frame.source_ip;
  emit(record);
  return {};
}

Status FrameConverter::OnDisconnected(std::string_view body, const Emit& emit) {
  FW_ASSIGN(report::DisconnectedFrame frame, report::DecodeDisconnected(body));
  registry::ResolvedThing thing = Resolve(frame.client_id, frame.fingerprint);
  ConnectionRecord record;
  record.entity = thing.entity;
  record.thing = thing.name.value();
  record.kind = ConnectionRecord::Kind::kDisconnect;
  record.flags = thing.registered ? ConnectionRecord::kRegistered : 0;
  record.time_ms = frame.event_time_ms;
  record.connection = frame.connection;
  record.fingerprint = frame.fingerprint;
  record.client_id = frame.client_id;
  record.source_ip = frame.source_ip;
  record.reason = report::DisconnectReasonName(frame.reason);
  emit(record);
  return {};
}

Status FrameConverter::OnRefused(std::string_view body, const Emit& emit) {
  FW_ASSIGN(report::RefusedFrame frame, report::DecodeRefused(body));
  auto reason = static_cast<std::size_t>(frame.reason);
  if (reason < refusals_.size()) refusals_[reason]->Add(frame.count);
  if (frame.reason == report::RefusalReason::kWithoutCa || frame.reason == report::RefusalReason::kUntrusted) {
    log::Info("certificate-refused", {{"certificate", HexEncode(frame.fingerprint)},
                                      {"reason", report::RefusalReasonName(frame.reason)}, {"why", frame.topic},
                                      {"address", frame.source_ip}});
    frame.topic = {};
  }
  ConnectionRecord record;
  registry::ResolvedThing thing;
  if (!frame.client_id.empty()) {
    thing = Resolve(frame.client_id, frame.fingerprint);
    record.entity = thing.entity;
    record.thing = thing.name.value();
  }
  record.kind = ConnectionRecord::Kind::kRefused;
  record.flags = thing.registered ? ConnectionRecord::kRegistered : 0;
  record.time_ms = frame.event_time_ms;
  record.count = frame.count;
  record.fingerprint = frame.fingerprint;
  record.client_id = frame.client_id;
  record.source_ip = frame.source_ip;
  record.reason = report::RefusalReasonName(frame.reason);
  record.topic = frame.topic;
  emit(record);
  return {};
}

Status FrameConverter::OnDropped(std::string_view body, const Emit& emit) {
  FW_ASSIGN(report::DroppedFrame frame, report::DecodeDropped(body));
  dropped_counters_.Add(frame.counter_records);
  dropped_reports_.Add(frame.other_reports);
  log::Warning("edge-dropped", {{"counters", frame.counter_records}, {"events", frame.events},
                                {"reports_of_other_things", frame.other_reports}});
  for (;;) {
    FW_ASSIGN(auto entry, report::NextDropped(frame));
    if (!entry) return {};
    dropped_reports_.Add(entry->reports);
    if (!IsThingName(entry->thing)) continue;
    emit(DroppedRecord{directory_.Identify(entry->thing).entity, entry->thing, frame.event_time_ms, entry->reports});
  }
}

Status FrameConverter::OnClock(std::string_view body, const Emit& emit, FrameNews& news) {
  FW_ASSIGN(report::ClockFrame frame, report::DecodeClock(body));
  if (frame.step_ms != 0) {
    log::Warning("clock-step", {{"milliseconds", frame.step_ms}});
    emit(ClockStepRecord{frame.step_ms, frame.event_time_ms});
  }
  names_.Renew(frame.event_time_ms);
  news.step_ms = frame.step_ms;
  news.clock_ms = frame.event_time_ms;
  news.applied_version = frame.policy_version;
  return {};
}

Status FrameConverter::OnApplied(std::string_view body, FrameNews& news) {
  FW_ASSIGN(report::AppliedFrame frame, report::DecodeApplied(body));
  if (frame.ok) {
    news.applied_version = frame.policy_version;
  } else {
    news.reload = true;
  }
  return {};
}

Status FrameConverter::OnUnregistered(std::string_view body) {
  FW_ASSIGN(report::UnregisteredFrame frame, report::DecodeUnregistered(body));
  if (listeners_.unregistered) listeners_.unregistered(frame);
  return {};
}

Status FrameConverter::OnRetained(std::string_view body) {
  FW_ASSIGN(report::RetainedFrame frame, report::DecodeRetained(body));
  for (;;) {
    FW_ASSIGN(auto entry, report::NextRetained(frame));
    if (!entry) return {};
    if (listeners_.retained) listeners_.retained(*entry);
  }
}

Status FrameConverter::OnDone(std::string_view body) {
  FW_ASSIGN(report::DoneFrame frame, report::DecodeDone(body));
  if (listeners_.done) listeners_.done(frame);
  return {};
}

}  // namespace fleetward::ingest
