#include "fleetward/alarms/alarm_book.h"

#include "fleetward/alarms/codec.h"
#include "fleetward/base/log.h"
#include "fleetward/telemetry/violation_store.h"

namespace fleetward::alarms {
namespace {

constexpr std::string_view kFamily = "fleetward_violation_events_total";
constexpr std::string_view kHelp = "Violation events, by type.";

}  // namespace

AlarmBook::AlarmBook(store::Batch& batch, VerificationOf verification, CounterRegistry& counters, Watcher watcher)
    : batch_(batch),
      verification_(std::move(verification)),
      watcher_(std::move(watcher)),
      in_alarm_(counters.AddCounter(kFamily, kHelp, "type=\"in-alarm\"")),
      cleared_(counters.AddCounter(kFamily, kHelp, "type=\"alarm-cleared\"")),
      invalidated_(counters.AddCounter(kFamily, kHelp, "type=\"alarm-invalidated\"")),
      storms_(counters.AddCounter("fleetward_alarm_storms_total", "Storms of alarms of one behavior.")) {}

Status AlarmBook::Load(const store::BlockStore& store, const std::function<bool(const model::EntityId&)>& mine) {
  Status fault;
  FW_TRY(telemetry::ScanActive(store, [&](const model::ViolationId& id, std::string_view value) {
    auto violation = DecodeActive(value);
    if (!violation.ok()) {
      fault = violation.error();
      return false;
    }
    if (mine(violation->entity)) active_.insert_or_assign(id, std::move(*violation));
    return true;
  }));
  return fault;
}

void AlarmBook::OnViolation(const detect::Decision& decision) {
  const model::ViolationEvent& event = decision.event;
  telemetry::PutEvent(batch_, {event.time, event.violation_id, event.type}, event.entity, EncodeEvent(event));
  if (event.type == model::ViolationEventType::kInAlarm) {
    in_alarm_.Add();
    model::ActiveViolation active;
    active.violation_id = event.violation_id;
    active.entity = event.entity;
    active.thing_name = event.thing_name;
    active.profile = event.profile;
    active.behavior = event.behavior;
    active.last_value = event.metric_value;
    active.confidence = event.confidence;
    active.start_time = event.time;
    active.last_violation_time = event.time;
    telemetry::PutActive(batch_, event.violation_id, EncodeActive(active));
    if (watcher_) watcher_(active, true);
    active_.insert_or_assign(event.violation_id, std::move(active));
  } else {
    (event.type == model::ViolationEventType::kAlarmCleared ? cleared_ : invalidated_).Add();
    telemetry::DeleteActive(batch_, event.violation_id);
    auto ended = active_.find(event.violation_id);
    if (ended != active_.end()) {
      if (watcher_) watcher_(ended->second, false);
      active_.erase(ended);
    }
  }
  log::Info("violation", {{"type", model::ViolationEventTypeName(event.type)},
                          {"thing", event.thing_name.value()},
                          {"profile", event.profile.value()},
                          {"behavior", event.behavior.name.value()},
                          {"reason", event.reason}});
  if (decision.alert_targets == nullptr || decision.digest) return;
  auto target = decision.alert_targets->find("SNS");
  if (target == decision.alert_targets->end()) return;
  bool ended = event.type != model::ViolationEventType::kInAlarm;
  auto alert = notify::AlertFor(event, ended ? verification_(event.violation_id) : model::VerificationState::kUnknown,
                                target->second.alert_target_arn);
  if (alert) alerts_.push_back(std::move(*alert));
}

void AlarmBook::OnActiveUpdated(const detect::ActiveUpdate& update) {
  auto found = active_.find(update.violation_id);
  if (found == active_.end()) return;  // an alarm of a storm has no row
  found->second.last_value = *update.value;
  found->second.last_violation_time = update.time;
  telemetry::PutActive(batch_, update.violation_id, EncodeActive(found->second));
  if (watcher_) watcher_(found->second, true);
}

void AlarmBook::OnProfile(const model::SecurityProfile& profile) {
  for (auto& [id, active] : active_) {
    if (active.profile != profile.name) continue;
    for (const model::Behavior& behavior : profile.behaviors) {
      if (behavior.name != active.behavior.name || behavior == active.behavior || !behavior.SameDefinition(active.behavior)) continue;
      active.behavior = behavior;
      telemetry::PutActive(batch_, id, EncodeActive(active));
      if (watcher_) watcher_(active, true);
    }
  }
}

void AlarmBook::OnDigest(const detect::WindowDigest& digest) {
  if (!leads_) return;
  log::Info("violation-digest", {{"profile", digest.profile.value()},
                                 {"behavior", digest.behavior.name.value()},
                                 {"raised", digest.raised},
                                 {"cleared", digest.cleared}});
  auto target = digest.alert_targets->find("SNS");
  if (target == digest.alert_targets->end()) return;
  auto alert = notify::AlertFor(notify::Digest{digest.id, digest.profile.value(), digest.behavior, digest.window_end,
                                               digest.raised, digest.cleared, digest.names},
                                target->second.alert_target_arn);
  if (alert) alerts_.push_back(std::move(*alert));
}

void AlarmBook::OnStorm(const detect::StormUpdate& update) {
  if (update.count <= 1 && !update.ended) storms_.Add();
  log::Warning("alarm-storm", {{"profile", update.profile.value()},
                               {"behavior", update.behavior.value()},
                               {"alarms", update.count},
                               {"ended", update.ended},
                               {"reason", update.reason}});
}

}  // namespace fleetward::alarms
