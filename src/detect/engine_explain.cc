// What `fleetward why` shows (D36).
#include <bit>

#include "alarm/reason.h"
#include "alarm/violation_id.h"
#include "engine_impl.h"

namespace fleetward::detect {
namespace {

void FillLast(const PlanBehavior& behavior, const BehaviorState& state, BehaviorExplanation& out) {
  if (!(state.flags & BehaviorState::kHasValue)) return;
  switch (behavior.code->kind) {
    case model::ValueKind::kCount: out.last_value = model::Count{static_cast<std::int64_t>(state.last)}; return;
    case model::ValueKind::kNumber: out.last_value = model::Number{std::bit_cast<double>(state.last)}; return;
    default: break;
  }
  auto summary = std::bit_cast<ListSummary>(state.last);
  out.elements = summary.elements;
  out.offending = summary.offending;
  out.example = ListExample(behavior, state.last);
}

/// Nothing was judged yet: what is missing.
Verdict BeforeData(const Thing& thing, const PlanBehavior& behavior) {
  if (behavior.code->feed == Feed::kNever) return behavior.code->idle;
  bool unknown = !(thing.flags & Thing::kConnectionKnown);
  if (behavior.code->feed == Feed::kOffline && unknown) return Verdict::kConnectionUnknown;
  return Verdict::kNoData;
}

}  // namespace

std::vector<BehaviorExplanation> Engine::Impl::Explain(const model::EntityId& entity) const {
  std::vector<BehaviorExplanation> all;
  const Thing* thing = table_.Find(entity);
  if (!thing) return all;
  const Plan& plan = thing->plan();
  for (std::size_t i = 0; i < plan.behaviors.size(); ++i) {
    const PlanBehavior& behavior = plan.behaviors[i];
    const BehaviorState& state = thing->behavior(i);
    BehaviorExplanation out;
    out.profile = behavior.profile->config.profile.name;
    out.behavior = *behavior.definition;
    out.verdict = state.verdict == Verdict::kNoData ? BeforeData(*thing, behavior) : state.verdict;
    FillLast(behavior, state, out);
    if (state.last_seen_s != 0) out.last_seen = FromMillis(std::int64_t{state.last_seen_s} * 1000);
    if (thing->flags & Thing::kConnectionKnown) out.connected = thing->connections > 0;
    out.needed_ms = behavior.code->needed_ms;
    out.violating = state.violating;
    out.needed_to_alarm = behavior.code->to_alarm;
    out.conforming = state.conforming;
    out.needed_to_clear = behavior.code->to_clear;
    out.in_alarm = state.in_alarm();
    out.in_storm = (state.flags & BehaviorState::kInStorm) != 0;
    if (state.in_alarm() || state.violating > 0) out.first_violation = FromMillis(state.first_violation_ms);
    if (state.in_alarm()) {
      out.violation_id =
          MakeViolationId(options_, entity, out.profile.value(), behavior.definition->name.value(),
                          behavior.code->definition_version, state.first_violation_ms);
    }
    all.push_back(std::move(out));
  }
  for (const PlanWindow& window : plan.deltas) {
    for (std::uint16_t index : window.behaviors) all[index].covered_ms = thing->At<DeltaWindow>(window).covered_ms;
  }
  for (const PlanWindow& window : plan.buckets) {
    if (window.feed != Feed::kPanes) continue;
    const auto& state = thing->At<PaneWindow>(window);
    for (std::uint16_t index : window.behaviors) all[index].covered_ms = state.known * window.layout.pane_ms;
  }
  for (const PlanStatistic& statistic : plan.statistics) {
    std::int64_t now = std::max(watermark_ms_, std::int64_t{thing->At(statistic).closed_s} * 1000);
    bool in_alarm = thing->behavior(statistic.behavior).in_alarm();
    all[statistic.behavior].expected = ExpectationOf(*thing, statistic.behavior, now, in_alarm);
  }
  for (const PlanModel& model : plan.models) {
    if (thing->At(model).flags & ModelState::kHasValue) all[model.behavior].expected = ModelExpectation(*thing, model.behavior);
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].why = VerdictReason(plan.behaviors[i], all[i]);
  return all;
}

bool Engine::Impl::IsCovered(const model::EntityId& entity, std::string_view profile) const {
  const Thing* thing = table_.Find(entity);
  if (!thing) return false;
  const auto& profiles = thing->plan().profiles;
  return std::any_of(profiles.begin(), profiles.end(),
                     [&](const auto& each) { return each->config.profile.name.value() == profile; });
}

std::vector<std::string> Engine::Impl::DigestBehaviors() const {
  std::vector<std::string> names;
  for (const auto& [name, profile] : profiles_) {
    for (std::size_t i = 0; i < profile->behaviors.size(); ++i) {
      if (profile->behaviors[i].digest) names.push_back(name + "/" + profile->config.profile.behaviors[i].name.value());
    }
  }
  return names;
}

EngineStats Engine::Impl::stats() const {
  EngineStats stats = stats_;
  stats.things = table_.size();
  stats.unregistered_things = unregistered_;
  stats.plans = plans_.size();
  stats.alarms = alarms_;
  stats.state_bytes = table_.bytes();
  for (const Slab& slab : slabs_) {
    stats.state_bytes += slab.things.capacity() * sizeof(Thing*);
    for (const Thing* thing : slab.things) {
      stats.state_bytes += Thing::BytesFor(thing->name_size, thing->plan().state_bytes);
    }
  }
  return stats;
}

}  // namespace fleetward::detect
