// A shard's device side: reports, their answers, what the edge dropped.
#include <algorithm>
#include <utility>

#include "fleetward/report/answer.h"
#include "fleetward/report/record.h"
#include "shard.h"

namespace fleetward::ingest {

void Shard::On(const ReportRecord& r) {
  if (Status decoded = report::DecodeRecord(r.body, report_); !decoded.ok()) {
    corrupt_records_.Add();
    return;
  }
  ThingState* thing = FindThing(r.entity, r.thing, (r.flags & ReportRecord::kRegistered) != 0);
  if (thing == nullptr) return;
  Touch(r.entity);
  std::uint64_t report_id = report_.report_id.value_or(0);
  bool spooled = report_.spooled_at_seconds.has_value();
  switch (thing->admission.Decide(options_.admission, FromMillis(r.time_ms), report_id, r.body_hash, spooled)) {
    case detect::Admission::kDuplicate:
      duplicates_.Add();
      Answer(r, report_id, true);
      return;
    case detect::Admission::kThrottled:
      throttled_.Add();
      thing->AddFault(r.time_ms, "report came sooner than detect.min_report_interval_seconds allows");
      Answer(r, report_id, false);
      return;
    case detect::Admission::kAccept: break;
  }
  reports_.Add();
  thing->last_report_ms = r.time_ms;
  thing->last_report_id = report_id;
  detect::ReportEvent event;
  event.thing = {r.entity, r.thing};
  event.time = FromMillis(r.time_ms);
  event.report = &report_;
  event.spooled = spooled;
  event.late = r.time_ms < watermark_ms_;
  event.gap = !spooled && !event.late && std::exchange(thing->lost, false);
  engine_->OnReport(event);
  RecordReport(r, *thing, event.gap);
  Answer(r, report_id, true);
}

void Shard::RecordReport(const ReportRecord& r, ThingState& thing, bool gap) {
  sample_.Clear();
  sample_.entity = r.entity;
  sample_.source = telemetry::Source::kDevice;
  sample_.time = report_.spooled_at_seconds ? FromMillis(*report_.spooled_at_seconds * 1000) : FromMillis(r.time_ms);
  // A sample's own clock may be anywhere; a report is stored neither in the future nor before retention.
  sample_.time = std::clamp(sample_.time, FromMillis(r.time_ms) - options_.metrics_kept, FromMillis(r.time_ms));
  sample_.flags = (report_.spooled_at_seconds ? telemetry::kFlagSpooled : 0U) |
                  (r.time_ms < watermark_ms_ ? telemetry::kFlagLate : 0U) | (gap ? telemetry::kFlagGap : 0U) |
                  (thing.registered ? 0U : telemetry::kFlagUnregistered);
  sample_.report_id = report_.report_id.value_or(0);
  sample_.reporter = r.reporter;
  faults_.clear();
  FillSample(report_, customs_, sample_, faults_);
  for (std::string& fault : faults_) thing.AddFault(r.time_ms, std::move(fault));
  Export(thing, nullptr);
  if (options_.store_all || std::any_of(sample_.fields().begin(), sample_.fields().end(),
                                        [this](const auto& field) { return Retained(field.key.metric); })) {
    state_->recorder().Add(sample_, position_);
  }
}

void Shard::Answer(const ReportRecord& r, std::uint64_t report_id, bool accepted) {
  if ((r.flags & ReportRecord::kAnswer) == 0) return;
  replaying_ ? KeepAnswer(r, report_id, accepted) : SendAnswer(r, report_id, accepted);
}

/// The log does not say what was answered before the end. What was durable for longer than this was; for the others a
/// second answer does no harm.
void Shard::KeepAnswer(const ReportRecord& r, std::uint64_t report_id, bool accepted) {
  constexpr std::int64_t kMayBeUnansweredMs = 2000;
  constexpr std::size_t kMostKept = 4096;
  kept_answers_.push_back({r.time_ms, std::string(r.thing), report_id, r.flags, accepted});
  while (kept_answers_.size() > kMostKept || kept_answers_.front().time_ms + kMayBeUnansweredMs < r.time_ms) {
    kept_answers_.pop_front();
  }
}

void Shard::SendAnswer(const ReportRecord& r, std::uint64_t report_id, bool accepted) {
  bool cbor = (r.flags & ReportRecord::kCbor) != 0;
  report::Answer answer;
  answer.thing_name = r.thing;
  answer.report_id = report_id;
  answer.accepted = accepted;
  if (!accepted) {
    answer.error_code = report::kThrottled;
    answer.error_message = "Report interval is shorter than allowed";
  }
  answer.timestamp = FromMillis(r.time_ms);
  report::EncodeAnswer(answer, cbor ? report::Format::kCbor : report::Format::kJson, answer_text_);
  std::string topic = "$aws/things/";
  topic.append(r.thing).append("/defender/metrics/").append(cbor ? "cbor/" : "json/");
  topic.append(accepted ? "accepted" : "rejected");
  answers_.Send(topic, answer_text_);
}

void Shard::On(const DroppedRecord& r) {
  ThingState* thing = FindThing(r.entity, r.thing, false);
  if (thing == nullptr) return;
  Touch(r.entity);
  thing->lost = true;
  thing->AddFault(r.time_ms, std::to_string(r.reports) + " reports were lost: the broker's buffer was full");
  sample_.Clear();
  sample_.entity = r.entity;
  sample_.source = telemetry::Source::kDevice;
  sample_.time = FromMillis(r.time_ms);
  sample_.AddCount({telemetry::kAuxReportsLost, 0}, static_cast<std::int64_t>(r.reports));
  state_->recorder().Add(sample_, position_);
}

}  // namespace fleetward::ingest
