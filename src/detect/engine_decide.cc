// From datapoints to decisions (reference: detect.md §4; D10, D12).
#include <bit>
#include <cstdio>

#include "alarm/reason.h"
#include "alarm/violation_id.h"
#include "engine_impl.h"

namespace fleetward::detect {
namespace {

using model::ViolationEventType;

std::string ExampleOf(const PlanBehavior& behavior, const model::MetricValue& value, const ListFinding& finding) {
  if (finding.offending == 0) return "";
  std::size_t at = finding.first_offending;
  if (auto* cidrs = std::get_if<model::Cidrs>(&value)) {
    // Shown sorted and each once, so the index of the list as judged does not fit.
    ListFinding shown = behavior.code->criteria.JudgePrefixes(*cidrs);
    return shown.offending ? (*cidrs)[shown.first_offending].ToString() : "";
  }
  if (auto* ports = std::get_if<model::Ports>(&value); ports && at < ports->size()) return std::to_string((*ports)[at]);
  if (auto* strings = std::get_if<model::Strings>(&value); strings && at < strings->size()) return (*strings)[at];
  if (auto* numbers = std::get_if<model::Numbers>(&value); numbers && at < numbers->size()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.12g", (*numbers)[at]);
    return text;
  }
  return "";
}

Inputs MakeInputs(const PlanBehavior& behavior, const Observation& seen, const model::MetricValue& value) {
  Inputs inputs;
  inputs.value = value;
  inputs.window_start = FromMillis(seen.window_start_ms);
  inputs.window_end = FromMillis(seen.window_end_ms);
  inputs.covered_ms = seen.covered_ms;
  inputs.needed_ms = behavior.code->needed_ms;
  inputs.scaled = seen.scaled;
  inputs.elements = seen.list.elements;
  inputs.offending = seen.list.offending;
  inputs.example = ExampleOf(behavior, value, seen.list);
  return inputs;
}

}  // namespace

std::string ListExample(const PlanBehavior& behavior, std::uint64_t last) {
  auto summary = std::bit_cast<ListSummary>(last);
  if (summary.offending == 0) return "";
  if (behavior.code->kind == model::ValueKind::kPorts) return std::to_string(summary.example);
  if (behavior.code->kind != model::ValueKind::kCidrs || summary.example == 0) return "";
  model::IpAddress address;
  address.bytes[10] = address.bytes[11] = 0xff;
  for (int i = 0; i < 4; ++i) address.bytes[12 + i] = static_cast<std::uint8_t>(summary.example >> (24 - 8 * i));
  return address.ToString();
}

Decision Engine::Impl::MakeDecision(const Thing& thing, const PlanBehavior& behavior, const BehaviorState& state,
                                    ViolationEventType type, Cause cause, Timestamp time) const {
  const ProfileConfig& config = behavior.profile->config;
  Decision decision;
  decision.event.violation_id =
      MakeViolationId(options_, thing.entity, config.profile.name.value(), behavior.definition->name.value(),
                      behavior.code->definition_version, state.first_violation_ms);
  decision.event.entity = thing.entity;
  decision.event.thing_name = model::ThingName(thing.name());
  decision.event.profile = config.profile.name;
  decision.event.behavior = *behavior.definition;
  decision.event.type = type;
  decision.event.time = time;
  decision.cause = cause;
  decision.registered = thing.cohort->registered;
  decision.digest = behavior.code->digest;
  if (behavior.code->type == model::CriteriaType::kMachineLearning) decision.event.confidence = behavior.code->confidence;
  decision.alert_targets = &config.profile.alert_targets;
  return decision;
}

void Engine::Impl::Act(Thing& thing, std::uint16_t index, Transition transition, const Observation& seen,
                       const model::MetricValue& value) {
  BehaviorState& state = thing.behavior(index);
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  switch (transition) {
    case Transition::kNone: return;
    case Transition::kRaise: return Raise(thing, index, seen, value);
    case Transition::kClear: return Clear(thing, index, seen, value);
    case Transition::kUpdate: break;
  }
  if (state.flags & BehaviorState::kInStorm) return;
  ActiveUpdate update;
  update.violation_id =
      MakeViolationId(options_, thing.entity, behavior.profile->config.profile.name.value(),
                      behavior.definition->name.value(), behavior.code->definition_version, state.first_violation_ms);
  update.entity = thing.entity;
  update.profile = &behavior.profile->config.profile.name;
  update.behavior = &behavior.definition->name;
  update.value = &value;
  update.time = FromMillis(seen.time_ms);
  sink_.OnActiveUpdated(update);
}

void Engine::Impl::Raise(Thing& thing, std::uint16_t index, const Observation& seen, const model::MetricValue& value) {
  BehaviorState& state = thing.behavior(index);
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  ++thing.alarms;
  ++alarms_;
  Timestamp time = FromMillis(seen.time_ms);
  if (!storms_.Admit(thing.slab, behavior.profile->config.profile.name, behavior.definition->name, time)) {
    state.flags |= BehaviorState::kInStorm;
    return;
  }
  Decision decision = MakeDecision(thing, behavior, state, ViolationEventType::kInAlarm, seen.cause, time);
  decision.inputs = MakeInputs(behavior, seen, value);
  if (thing.flags & Thing::kConnectionKnown) decision.inputs.connected = thing.connections > 0;
  decision.event.metric_value = value;
  if (behavior.statistic >= 0) decision.inputs.expected = ExpectationOf(thing, index, seen.time_ms, false);
  if (behavior.model >= 0) decision.inputs.expected = ModelExpectation(thing, index);
  decision.event.reason =
      DatapointReason(behavior, decision.inputs, true, seen.cause, state.violating, behavior.code->to_alarm);
  if (decision.digest) PopulationOf(thing, index).open_digest.Raise(thing.name());
  sink_.OnViolation(decision);
}

void Engine::Impl::Clear(Thing& thing, std::uint16_t index, const Observation& seen, const model::MetricValue& value) {
  BehaviorState& state = thing.behavior(index);
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  --thing.alarms;
  --alarms_;
  bool in_storm = (state.flags & BehaviorState::kInStorm) != 0;
  state.flags &= static_cast<std::uint8_t>(~BehaviorState::kInStorm);
  if (in_storm) return;
  Decision decision =
      MakeDecision(thing, behavior, state, ViolationEventType::kAlarmCleared, seen.cause, FromMillis(seen.time_ms));
  decision.inputs = MakeInputs(behavior, seen, value);
  if (thing.flags & Thing::kConnectionKnown) decision.inputs.connected = thing.connections > 0;
  decision.event.metric_value = value;
  if (behavior.statistic >= 0) decision.inputs.expected = ExpectationOf(thing, index, seen.time_ms, true);
  if (behavior.model >= 0) decision.inputs.expected = ModelExpectation(thing, index);
  decision.event.reason =
      DatapointReason(behavior, decision.inputs, false, seen.cause, state.conforming, behavior.code->to_clear);
  if (decision.digest) ++PopulationOf(thing, index).open_digest.cleared;
  sink_.OnViolation(decision);
}

/// Ends an alarm, if one is on, and the counting with it. `plan` is the one the thing's state is laid out by.
void Engine::Impl::Invalidate(Thing& thing, std::uint16_t index, const Plan& plan, Cause cause, Timestamp time) {
  BehaviorState& state = thing.behavior(index);
  if (state.in_alarm()) {
    --thing.alarms;
    --alarms_;
    if (!(state.flags & BehaviorState::kInStorm)) {
      Decision decision =
          MakeDecision(thing, plan.behaviors[index], state, ViolationEventType::kAlarmInvalidated, cause, time);
      decision.event.reason = InvalidationReason(cause);
      sink_.OnViolation(decision);
    }
  }
  state = BehaviorState();
}

}  // namespace fleetward::detect
