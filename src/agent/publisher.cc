#include "publisher.h"

#include <algorithm>
#include <utility>

#include "fleetward/base/id128.h"
#include "fleetward/base/log.h"

namespace fleetward::agent {
namespace {

constexpr std::int64_t kReplayGapMs = 550;        // the service takes 2 spooled reports a second (D15)
constexpr std::size_t kMaxPending = 4;            // unanswered fresh reports in memory
constexpr std::int64_t kMaxThrottleMs = 300000;
constexpr std::int64_t kIdleMs = 60000;

std::string_view FormatName(report::Format format) { return format == report::Format::kCbor ? "cbor" : "json"; }

}  // namespace

Publisher::Publisher(PublisherOptions options, const Clock& clock, Connection& connection, Spool* spool,
                     NotTaken not_taken)
    : options_(std::move(options)),
      clock_(clock),
      connection_(connection),
      spool_(spool),
      not_taken_(std::move(not_taken)),
      reconnect_(1000, options_.reconnect_max_ms),
      replay_wait_(5000, 300000),
      random_(Id128::Random().low),
      connect_at_ms_(clock.MonotonicMillis()) {
  if (spool_ != nullptr) last_report_id_ = spool_->last_report_id();
}

std::string Publisher::Topic(report::Format format, std::string_view suffix) const {
  std::string topic = "$aws/things/" + options_.thing + "/defender/metrics/";
  return topic.append(FormatName(format)).append(suffix);
}

std::uint64_t Publisher::NextReportId() {
  auto now = static_cast<std::uint64_t>(ToMillis(clock_.Now()) / 1000);
  return last_report_id_ = std::max(now, last_report_id_ + 1);
}

void Publisher::Submit(const report::MetricReport& report) {
  std::int64_t now_seconds = ToMillis(clock_.Now()) / 1000;
  if (!connection_.connected() || pending_.size() >= kMaxPending) {
    log::Info("agent.report_spooled", {{"report_id", *report.report_id}, {"reason", "not connected"}});
    return ToSpool(report, now_seconds);
  }
  report::EncodeReport(report, options_.format, options_.names, buffer_);
  Result<int> sent = connection_.Publish(Topic(options_.format), buffer_);
  if (!sent.ok()) {
    log::Warning("agent.publish_failed", {{"report_id", *report.report_id}, {"reason", sent.error().message()}});
    return ToSpool(report, now_seconds);
  }
  log::Info("agent.report_sent", {{"report_id", *report.report_id}, {"bytes", buffer_.size()}});
  pending_.push_back({report, now_seconds, clock_.MonotonicMillis(), *sent});
}

void Publisher::ToSpool(const report::MetricReport& report, std::int64_t sampled_at_seconds) {
  if (spool_ == nullptr) {
    log::Warning("agent.report_lost", {{"report_id", *report.report_id}, {"reason", "there is no spool"}});
    return;
  }
  report::MetricReport stamped = report;
  stamped.spooled_at_seconds = sampled_at_seconds;
  SpooledReport spooled{*report.report_id, options_.format, {}};
  report::EncodeReport(stamped, options_.format, options_.names, spooled.payload);
  std::uint64_t dropped = spool_->dropped();
  Status added = spool_->Add(spooled);
  if (!added.ok()) {
    log::Error("agent.report_lost", {{"report_id", *report.report_id}, {"reason", added.error().ToString()}});
  }
  if (spool_->dropped() != dropped) log::Warning("agent.spool_full", {{"dropped", spool_->dropped()}});
}

void Publisher::SpoolPending() {
  for (const Pending& pending : pending_) ToSpool(pending.report, pending.sampled_at_seconds);
  pending_.clear();
  replay_.reset();  // it never left the spool
}

void Publisher::ScheduleConnect(std::int64_t now) {
  connecting_ = false;
  std::int64_t wait = reconnect_.Next(random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL);
  connect_at_ms_ = now + wait;
  log::Info("agent.reconnect_in", {{"milliseconds", wait}});
}

std::int64_t Publisher::Step() {
  std::int64_t now = clock_.MonotonicMillis();
  if (connecting_ && now >= connect_deadline_ms_) {
    log::Warning("agent.connect_timed_out");
    connection_.Disconnect();  // OnDisconnect schedules the next attempt
  } else if (!connecting_ && !connection_.connected() && now >= connect_at_ms_) {
    connecting_ = true;
    connect_deadline_ms_ = now + options_.connect_timeout_ms;
    Status started = connection_.Connect();
    if (!started.ok()) {
      log::Warning("agent.connect_failed", {{"reason", started.error().message()}});
      ScheduleConnect(clock_.MonotonicMillis());
    }
  }
  while (!pending_.empty() && now >= pending_.front().sent_ms + options_.answer_timeout_ms) {
    log::Warning("agent.no_answer", {{"report_id", *pending_.front().report.report_id}});
    ToSpool(pending_.front().report, pending_.front().sampled_at_seconds);
    pending_.pop_front();
    replay_at_ms_ = std::max(replay_at_ms_, now + replay_wait_.Next(random_));
  }
  if (replay_ && now >= replay_->sent_ms + options_.answer_timeout_ms) {
    replay_.reset();
    replay_at_ms_ = now + replay_wait_.Next(random_);
  }
  bool spooled = spool_ != nullptr && spool_->size() > 0;
  if (connection_.connected() && spooled && !replay_ && pending_.empty() && now >= replay_at_ms_) SendOldest(now);

  std::int64_t due = now + kIdleMs;
  if (connecting_) due = std::min(due, connect_deadline_ms_);
  if (!connecting_ && !connection_.connected()) due = std::min(due, connect_at_ms_);
  if (!pending_.empty()) due = std::min(due, pending_.front().sent_ms + options_.answer_timeout_ms);
  if (replay_) due = std::min(due, replay_->sent_ms + options_.answer_timeout_ms);
  if (connection_.connected() && spooled && !replay_) due = std::min(due, std::max(replay_at_ms_, now + 10));
  return std::max<std::int64_t>(0, due - clock_.MonotonicMillis());
}

void Publisher::SendOldest(std::int64_t now) {
  std::optional<SpooledReport> oldest = spool_->Oldest();
  if (!oldest) return;
  Result<int> sent = connection_.Publish(Topic(oldest->format), oldest->payload);
  replay_at_ms_ = now + kReplayGapMs;
  if (sent.ok()) replay_ = Replay{oldest->report_id, now, *sent};
}

void Publisher::OnConnect(int return_code) {
  if (return_code != 0) {
    log::Error("agent.connection_refused", {{"code", return_code}});
    return;
  }
  connecting_ = false;
  answers_expected_ = true;
  log::Info("agent.connected", {{"thing", options_.thing}});
  for (report::Format format : {report::Format::kJson, report::Format::kCbor}) {
    // Spooled reports keep the format they were made in; without any the other format's answers are of no interest.
    if (format != options_.format && (spool_ == nullptr || spool_->size() == 0)) continue;
    for (std::string_view suffix : {"/accepted", "/rejected"}) {
      Result<int> subscribed = connection_.Subscribe(Topic(format, suffix));
      if (!subscribed.ok()) log::Warning("agent.subscribe_failed", {{"reason", subscribed.error().message()}});
    }
  }
}

void Publisher::OnDisconnect(const std::string& reason) {
  log::Warning("agent.disconnected", {{"reason", reason}});
  SpoolPending();
  ScheduleConnect(clock_.MonotonicMillis());
}

void Publisher::OnSubscribed(int, int granted_qos) {
  if (granted_qos < 128) return;
  answers_expected_ = false;
  log::Warning("agent.answers_not_allowed", {{"effect", "the broker's acknowledgement counts as acceptance"}});
}

void Publisher::OnPublished(int packet_id) {
  if (answers_expected_) return;
  if (replay_ && replay_->packet_id == packet_id) return Accepted(replay_->report_id);
  for (const Pending& pending : pending_) {
    if (pending.packet_id == packet_id) return Accepted(*pending.report.report_id);
  }
}

void Publisher::OnMessage(const mqtt::Message& message) {
  report::Format format;
  bool accepted = false;
  if (message.topic == Topic(report::Format::kJson, "/accepted") ||
      message.topic == Topic(report::Format::kJson, "/rejected")) {
    format = report::Format::kJson;
  } else if (message.topic == Topic(report::Format::kCbor, "/accepted") ||
             message.topic == Topic(report::Format::kCbor, "/rejected")) {
    format = report::Format::kCbor;
  } else {
    return;
  }
  accepted = message.topic.ends_with("/accepted");
  Result<report::Answer> answer = report::DecodeAnswer(message.payload, format);
  if (!answer.ok()) {
    log::Warning("agent.answer_unreadable", {{"reason", answer.error().message()}});
    return;
  }
  if (!accepted) return Rejected(*answer);
  if (answer->report_id) Accepted(*answer->report_id);
}

void Publisher::Accepted(std::uint64_t report_id) {
  log::Info("agent.report_accepted", {{"report_id", report_id}});
  reconnect_.Reset();
  replay_wait_.Reset();
  throttle_ms_ = 0;
  std::erase_if(pending_, [&](const Pending& p) { return p.report.report_id == report_id; });
  if (replay_ && replay_->report_id == report_id) replay_.reset();
  if (spool_ != nullptr) spool_->Remove(report_id);
}

void Publisher::Rejected(const report::Answer& answer) {
  bool throttled = answer.error_code == report::kThrottled;
  std::int64_t now = clock_.MonotonicMillis();
  log::Warning("agent.report_rejected", {{"report_id", answer.report_id ? std::to_string(*answer.report_id) : "unknown"},
                                         {"code", answer.error_code},
                                         {"message", answer.error_message}});
  if (replay_ && answer.report_id == replay_->report_id) {
    std::uint64_t report_id = replay_->report_id;
    replay_.reset();
    if (throttled) {
      replay_at_ms_ = now + replay_wait_.Next(random_);
    } else {
      spool_->Remove(report_id);  // it would be refused for ever
    }
    return;
  }
  // An answer without an id can only mean the one that waits longest.
  auto refused = pending_.begin();
  if (answer.report_id) {
    refused = std::find_if(pending_.begin(), pending_.end(),
                           [&](const Pending& p) { return p.report.report_id == answer.report_id; });
  }
  if (refused == pending_.end()) return;
  not_taken_(refused->report);
  pending_.erase(refused);
  if (throttled) {
    throttle_ms_ = std::clamp(throttle_ms_ * 2, std::min(options_.interval_ms, kMaxThrottleMs), kMaxThrottleMs);
  }
}

}  // namespace fleetward::agent
