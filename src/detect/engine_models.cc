// ML behaviors (reference: detect.md §3; docs/ml-detect.md): each series of a thing has a model of its own, and the
// things of a target tell each other how surprising their last values were.
#include <algorithm>

#include "alarm/violation_id.h"
#include "engine_impl.h"

namespace fleetward::detect {
namespace {

double AsDouble(const CompiledBehavior& code, std::uint64_t last) {
  if (code.kind == model::ValueKind::kNumber) return std::bit_cast<double>(last);
  return static_cast<double>(static_cast<std::int64_t>(last));
}

/// Usual seconds between two values of the series.
std::int64_t StepOf(const Thing& thing, const CompiledBehavior& code, std::int64_t bucket_ms) {
  switch (code.feed) {
    case Feed::kPanes:
    case Feed::kSizes: return bucket_ms / 1000;
    case Feed::kDelta: return std::max<std::int64_t>(code.needed_ms, thing.interval_ms) / 1000;
    default: return std::max<std::int64_t>(thing.interval_ms == 0 ? bucket_ms : thing.interval_ms, 1000) / 1000;
  }
}

}  // namespace

ModelState& Engine::Impl::ModelOf(Thing& thing, std::uint16_t index) {
  const Plan& plan = thing.plan();
  return thing.At(plan.models[static_cast<std::size_t>(plan.behaviors[index].model)]);
}
const ModelState& Engine::Impl::ModelOf(const Thing& thing, std::uint16_t index) const {
  const Plan& plan = thing.plan();
  return thing.At(plan.models[static_cast<std::size_t>(plan.behaviors[index].model)]);
}

/// Nothing is learned from a thing in alarm, whichever behavior found it. Only a static rule says that the thing
/// misbehaves: of a fleet that is compared, some thing always has the largest value.
ml::Alarm Engine::Impl::AlarmOf(const Thing& thing) {
  if (thing.alarms == 0) return ml::Alarm::kNone;
  const auto& behaviors = thing.plan().behaviors;
  for (std::size_t i = 0; i < behaviors.size(); ++i) {
    bool static_rule = behaviors[i].code->type == model::CriteriaType::kStatic;
    if (static_rule && thing.behavior(i).in_alarm()) return ml::Alarm::kAccused;
  }
  return ml::Alarm::kUnusual;
}

void Engine::Impl::JudgeModel(Thing& thing, std::uint16_t index, Observation seen, const NumericValue& value) {
  const CompiledBehavior& code = *thing.plan().behaviors[index].code;
  ModelState& state = ModelOf(thing, index);
  seen.last = value.last();
  ml::Verdict verdict = ml::Update(state.series, seen.time_ms / 1000, AsDouble(code, seen.last),
                                   StepOf(thing, code, BucketMs()), AlarmOf(thing), &PopulationOf(thing, index).peers);
  state.last = ModelVerdict::Of(verdict);
  state.seen_s = static_cast<std::uint32_t>(seen.time_ms / 1000);
  state.flags |= ModelState::kHasValue;
  if (verdict.reason == ml::Reason::kLearning) {
    BehaviorState& kept = thing.behavior(index);
    kept.verdict = Verdict::kLearning;
    kept.last = seen.last;
    kept.flags |= BehaviorState::kHasValue;
    kept.last_seen_s = state.seen_s;
    return;
  }
  bool violates = static_cast<double>(verdict.score) >= ml::Limit(code.confidence);
  seen.verdict = violates ? Verdict::kViolating : Verdict::kConforming;
  bool was_on = thing.behavior(index).in_alarm();
  Datapoint(thing, index, seen, [&] {
    return code.kind == model::ValueKind::kNumber
               ? model::MetricValue(model::Number{std::bit_cast<double>(seen.last)})
               : model::MetricValue(model::Count{static_cast<std::int64_t>(seen.last)});
  });
  if (!was_on && thing.behavior(index).in_alarm()) {
    std::shift_right(state.raised.begin(), state.raised.end(), 1);
    state.raised.front() = {thing.behavior(index).first_violation_ms, ml::DemandOf(state.series, verdict)};
  }
}

Expectation Engine::Impl::ModelExpectation(const Thing& thing, std::uint16_t index) const {
  const ModelState& state = ModelOf(thing, index);
  const CompiledBehavior& code = *thing.plan().behaviors[index].code;
  ml::Verdict verdict = state.last.Get();
  Expectation expected;
  if (verdict.reason != ml::Reason::kLearning) {
    expected.low = verdict.expected_low;
    expected.high = verdict.expected_high;
  }
  ml::Summary summary = ml::Summarize(state.series, state.seen_s);
  expected.values = summary.values;
  expected.percent = summary.collected_percent;
  expected.reason = ml::Explain(verdict, AsDouble(code, thing.behavior(index).last));
  return expected;
}

/// At a bucket's end: the thing's surprises for its peers, and what its models have learned for the summaries.
void Engine::Impl::CloseModels(Thing& thing, std::int64_t boundary_ms) {
  const Plan& plan = thing.plan();
  for (const PlanModel& model : plan.models) {
    const ModelState& state = thing.At(model);
    if (!(state.flags & ModelState::kHasValue)) continue;
    Population& population = PopulationOf(thing, model.behavior);
    ModelPart& part = population.Closed(boundary_ms).models;
    part.Count(ml::Summarize(state.series, boundary_ms / 1000));
    bool in_bucket = boundary_ms - std::int64_t{state.seen_s} * 1000 <= BucketMs();
    if (in_bucket && !thing.behavior(model.behavior).in_alarm()) part.cohort.Add(state.series);
  }
}

bool Engine::Impl::OnVerification(const model::EntityId& entity, const model::ViolationId& violation,
                                  model::VerificationState verified) {
  Thing* thing = table_.Find(entity);
  if (!thing || verified != model::VerificationState::kFalsePositive) return false;
  for (const PlanModel& model : thing->plan().models) {
    ModelState& state = thing->At(model);
    const PlanBehavior& behavior = thing->plan().behaviors[model.behavior];
    for (const RaisedAlarm& alarm : state.raised) {
      if (alarm.first_ms == 0) break;
      Id128 id = MakeViolationId(options_, entity, behavior.profile->config.profile.name.value(),
                                 behavior.definition->name.value(), behavior.code->definition_version, alarm.first_ms);
      if (id != violation) continue;
      ml::ConfirmFalsePositive(state.series, alarm.demand);
      MarkChanged(*thing);
      return true;
    }
  }
  return false;
}

std::vector<TrainingSummary> Engine::Impl::TrainingSummaries() const {
  std::map<std::pair<std::string, std::string>, ModelPart> by_behavior;
  for (const auto& [key, population] : populations_) {
    if (population.model) by_behavior[{key.profile, key.behavior}].Merge(population.models);
  }
  std::vector<TrainingSummary> all;
  for (const auto& [key, part] : by_behavior) {
    TrainingSummary summary;
    summary.profile = model::SecurityProfileName(key.first);
    summary.behavior = model::BehaviorName(key.second);
    summary.status = part.active > 0                             ? ml::ModelStatus::kActive
                     : part.series > 0 && part.expired == part.series ? ml::ModelStatus::kExpired
                                                                 : ml::ModelStatus::kPendingBuild;
    if (part.series > 0) {
      summary.collected_percent = static_cast<double>(part.hundredths) / 100.0 / static_cast<double>(part.series);
      if (part.started_s != 0) summary.started = FromMillis(part.started_s * 1000);
      if (part.refreshed_s != 0 && part.active > 0) summary.refreshed = FromMillis(part.refreshed_s * 1000);
    }
    all.push_back(std::move(summary));
  }
  return all;
}

}  // namespace fleetward::detect
