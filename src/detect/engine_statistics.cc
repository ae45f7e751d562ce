// Statistical behaviors (reference: detect.md §3; D7, D8): a value is compared with a percentile of what the other
// things of the same target did in the window before.
#include <algorithm>
#include <cmath>

#include "alarm/violation_id.h"
#include "engine_impl.h"

namespace fleetward::detect {
namespace {

constexpr std::size_t kMaxUnanswered = 16;

std::int64_t FloorTo(std::int64_t ms, std::int64_t length_ms) {
  std::int64_t rest = ms % length_ms;
  return ms - (rest < 0 ? rest + length_ms : rest);
}

/// The sum of a window as it would be over its nominal length. Reports jitter, so a window covers 0.9 to 1.1 of it; some
/// devices count by time and some by report. A fleet whose values differ by the jitter alone must not alarm, so a value
/// is on the wrong side only if both readings are.
std::int64_t OtherReading(const CompiledBehavior& code, const Observation& seen, const NumericValue& value) {
  auto sum = static_cast<std::int64_t>(value.last());
  if (seen.covered_ms <= 0 || seen.scaled) return sum;
  double scaled = static_cast<double>(sum) * static_cast<double>(code.needed_ms) / static_cast<double>(seen.covered_ms);
  if (scaled >= 0x1p63) return INT64_MAX;
  return static_cast<std::int64_t>(code.upper ? std::floor(scaled) : std::ceil(scaled));
}

/// Twice a limit, or half of a lower one: more than what one thing's values differ from window to window.
ValueKey BoundOf(const Population& population, ValueKey limit) {
  if (population.numbers) {
    double number = NumberOf(limit);
    return population.upper ? std::max(KeyOf(2 * number), limit + 1) : KeyOf(number / 2);
  }
  return population.upper ? std::max(2 * limit, limit + 1) : limit - limit / 2;   // counts have 63 bits
}

/// A bound one window later: it may follow the fleet, but slowly, so that nobody rides up on it.
ValueKey Moved(const Population& population, ValueKey bound, ValueKey fresh) {
  constexpr int kPart = 32;
  if (population.numbers) {
    double step = NumberOf(bound) / kPart;
    if (population.upper) return std::min(fresh, KeyOf(NumberOf(bound) + step));
    return std::max(fresh, KeyOf(NumberOf(bound) - step));
  }
  ValueKey step = bound / kPart + 1;
  if (population.upper) return std::min(fresh, bound + step);
  return std::max(fresh, bound - std::min(bound, step));
}

}  // namespace

// --- who is compared with whom ------------------------------------------------------------------------------------

/// The populations follow from the profiles alone, so that every shard has the same ones.
void Engine::Impl::RefreshPopulations() {
  Populations fresh;
  for (const auto& [name, profile] : profiles_) {
    for (std::size_t i = 0; i < profile->behaviors.size(); ++i) {
      const CompiledBehavior& code = profile->behaviors[i];
      if (code.type == model::CriteriaType::kStatic || code.feed == Feed::kNever) continue;
      for (const model::ProfileTarget& target : profile->config.targets) {
        PopulationKey key{name, profile->config.profile.behaviors[i].name.value(), code.definition_version, target};
        auto known = populations_.extract(key);
        if (!known.empty()) {
          fresh.insert(std::move(known));   // keeps its address: cohorts point to it
        } else {
          fresh.try_emplace(key);
        }
        Population& population = fresh.at(key);
        population.length_ms = code.length_ms;
        population.asked_ms = Population::kNever;
        population.percentile = code.percentile;
        population.upper = code.upper;
        population.numbers = code.kind == model::ValueKind::kNumber;
        population.digest = code.digest;
        population.model = code.type == model::CriteriaType::kMachineLearning;
      }
    }
  }
  populations_ = std::move(fresh);
}

void Engine::Impl::JoinPopulations(Cohort& cohort) {
  cohort.populations.clear();
  for (std::uint16_t index : cohort.plan->compared) {
    const PlanBehavior& behavior = cohort.plan->behaviors[index];
    const ProfileConfig& config = behavior.profile->config;
    const model::ProfileTarget* target = CoveringTarget(config, cohort.registered, cohort.groups);
    cohort.populations.push_back(&populations_.at({config.profile.name.value(), behavior.definition->name.value(),
                                                   behavior.code->definition_version,
                                                   target ? *target : model::ProfileTarget()}));
  }
}

/// What the thing gave to a summary is not to be taken out of another one.
void Engine::Impl::LeavePopulations(Thing& thing, const std::vector<std::uint16_t>& statistics) {
  for (std::uint16_t index : statistics) {
    thing.At(thing.plan().statistics[index]).flags &= ~(StatisticState::kGiven | StatisticState::kBound);
  }
}

Population& Engine::Impl::PopulationOf(const Thing& thing, std::uint16_t index) const {
  return *thing.cohort->populations[static_cast<std::size_t>(thing.plan().behaviors[index].population)];
}

// --- judging --------------------------------------------------------------------------------------------------------

std::optional<NumericLimit> Engine::Impl::LimitOf(const Thing& thing, std::uint16_t index, std::int64_t time_ms,
                                                  Verdict* why_not) const {
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  const Population& population = PopulationOf(thing, index);
  auto own = thing.At(thing.plan().statistics[static_cast<std::size_t>(behavior.statistic)]).Own();
  const Threshold& threshold = population.threshold;
  bool negative = population.Holds(time_ms) && threshold.negatives() > 0;
  if (!population.Holds(time_ms) || negative || threshold.Others(own) < kLeastOthers) {
    if (why_not) *why_not = negative ? Verdict::kNegativeValues : Verdict::kTooFew;
    return std::nullopt;
  }
  auto op = behavior.code->op;
  ValueKey key = threshold.For(own, thing.behavior(index).in_alarm());
  return population.numbers ? NumericLimit(op, NumberOf(key)) : NumericLimit(op, CountOf(key));
}

std::optional<Expectation> Engine::Impl::ExpectationOf(const Thing& thing, std::uint16_t index, std::int64_t time_ms,
                                                       bool in_alarm) const {
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  const Population& population = PopulationOf(thing, index);
  if (!population.Holds(time_ms)) return std::nullopt;
  auto own = thing.At(thing.plan().statistics[static_cast<std::size_t>(behavior.statistic)]).Own();
  const Threshold& threshold = population.threshold;
  Expectation expected;
  expected.values = threshold.Others(own);
  expected.window_end = FromMillis(population.threshold_end_ms);
  if (expected.values >= kLeastOthers && threshold.negatives() == 0) {
    ValueKey key = threshold.For(own, in_alarm);
    double limit = population.numbers ? NumberOf(key) : static_cast<double>(CountOf(key));
    auto op = behavior.code->op;
    bool included = op == model::ComparisonOperator::kLessThanEquals || op == model::ComparisonOperator::kGreaterThanEquals;
    if (population.upper) {
      expected.high = limit;
      expected.high_included = included;
    } else {
      expected.low = limit;
      expected.low_included = included;
    }
  }
  expected.reason = *behavior.definition->criteria->statistic + " of " + std::to_string(expected.values) +
                    " other things in the " + std::to_string(population.length_ms / 1000) + " s before " +
                    Iso8601(expected.window_end);
  return expected;
}

void Engine::Impl::JudgeKind(Thing& thing, std::uint16_t index, const Observation& seen, const NumericValue& value) {
  if (thing.plan().behaviors[index].model >= 0) return JudgeModel(thing, index, seen, value);
  JudgeStatistic(thing, index, seen, value);
}

/// A window of the thing has closed, or a new count has come.
void Engine::Impl::JudgeStatistic(Thing& thing, std::uint16_t index, const Observation& seen,
                                  const NumericValue& value) {
  const PlanBehavior& behavior = thing.plan().behaviors[index];
  StatisticState& state = thing.At(thing.plan().statistics[static_cast<std::size_t>(behavior.statistic)]);
  state.value = value.key();
  state.closed_s = static_cast<std::uint32_t>(seen.time_ms / 1000);
  constexpr std::uint32_t kOfWindows = StatisticState::kGiven | StatisticState::kAlarmed | StatisticState::kBound;
  state.flags = (state.flags & kOfWindows) | StatisticState::kHasValue |
                (value.negative() ? StatisticState::kNegative : 0);
  Verdict why_not{};
  auto limit = LimitOf(thing, index, seen.time_ms, &why_not);
  if (!limit) {
    BehaviorState& kept = thing.behavior(index);
    kept.verdict = why_not;
    kept.last = value.last();
    kept.flags |= BehaviorState::kHasValue;
    kept.last_seen_s = state.closed_s;
    return;
  }
  bool holds = value.Satisfies(*limit) || (behavior.code->feed == Feed::kDelta &&
                                           limit->Holds(OtherReading(*behavior.code, seen, value)));
  if (Settle(thing.behavior(index), seen.time_ms, holds, value.last())) return;
  Observation judged = seen;
  judged.last = value.last();
  judged.verdict = holds ? Verdict::kConforming : Verdict::kViolating;
  Datapoint(thing, index, judged, [&] {
    return behavior.code->kind == model::ValueKind::kNumber
               ? model::MetricValue(model::Number{std::bit_cast<double>(judged.last)})
               : model::MetricValue(model::Count{static_cast<std::int64_t>(judged.last)});
  });
}

/// The window is open, but what it holds may already be too much (D5). The caller knows that an alarm may be raised.
void Engine::Impl::EarlyStatistic(Thing& thing, std::uint16_t index, Observation seen, std::int64_t sum) {
  if (!thing.plan().behaviors[index].code->upper) return;
  auto limit = LimitOf(thing, index, seen.time_ms);
  // The window of reports may yet cover 1.1 of its length, and is then read as less (OtherReading).
  bool reports = thing.plan().behaviors[index].code->feed == Feed::kDelta;
  if (!limit || limit->Holds(reports ? sum / 11 * 10 + sum % 11 * 10 / 11 : sum)) return;
  seen.verdict = Verdict::kViolating;
  seen.cause = Cause::kEarly;
  seen.last = static_cast<std::uint64_t>(sum);
  Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{sum}); });
}

// --- the end of a window ------------------------------------------------------------------------------------------

/// What violates counts for what it gives only up to a bound, lest it hide the next attacker; left out, who is merely the
/// largest of its fleet would make the next largest a violator. When most are in alarm all count as they are.
void Engine::Impl::BoundStatistic(const Thing& thing, std::uint16_t index, StatisticState& state,
                                  std::int64_t time_ms) const {
  const Population& population = PopulationOf(thing, index);
  const BehaviorState& behavior = thing.behavior(index);
  bool violates = behavior.in_alarm() || behavior.violating > 0;
  if (!violates || population.threshold.MostInAlarm()) {
    state.flags &= ~StatisticState::kBound;
  } else if (LimitOf(thing, index, time_ms)) {
    ValueKey fresh = BoundOf(population, population.threshold.For(state.Own(), behavior.in_alarm()));
    state.bound = state.flags & StatisticState::kBound ? Moved(population, state.bound, fresh) : fresh;
    state.flags |= StatisticState::kBound;
  }
}

/// Gives the thing's values to the summaries of the windows that end now. A value counts if it closed in the window, or
/// so little before it that only the jitter of reports can be the cause (D4: a window covers up to 1.1 of its length);
/// things that report more rarely count with their last value.
void Engine::Impl::CloseStatistics(Thing& thing, std::int64_t boundary_ms) {
  const Plan& plan = thing.plan();
  for (std::size_t i = 0; i < plan.statistics.size(); ++i) {
    Population& population = PopulationOf(thing, plan.statistics[i].behavior);
    if (!population.EndsAt(boundary_ms)) continue;
    const CompiledBehavior& code = *plan.behaviors[plan.statistics[i].behavior].code;
    StatisticState& state = thing.At(plan.statistics[i]);
    BoundStatistic(thing, plan.statistics[i].behavior, state, boundary_ms);   // looks at what was given before
    state.flags &= ~(StatisticState::kGiven | StatisticState::kAlarmed);
    if (!(state.flags & StatisticState::kHasValue)) continue;
    std::int64_t reach_ms = 0;
    if (code.feed != Feed::kPanes) reach_ms = std::max<std::int64_t>(code.length_ms, thing.interval_ms) * 11 / 10;
    if (boundary_ms - std::int64_t{state.closed_s} * 1000 > reach_ms + 999) continue;
    WindowPart& part = population.Closed(boundary_ms);
    if (state.flags & StatisticState::kNegative) {
      part.summary.AddNegative();
      continue;
    }
    state.given = state.value;
    if (state.flags & StatisticState::kBound) {
      state.given = population.upper ? std::min(state.value, state.bound) : std::max(state.value, state.bound);
    }
    state.flags |= StatisticState::kGiven;
    part.summary.Add(state.given);
    if (!thing.behavior(plan.statistics[i].behavior).in_alarm()) continue;
    state.flags |= StatisticState::kAlarmed;
    part.alarmed.Add(state.given);
  }
}

/// Every population has a summary for the last window that the watermark closed, if need be an empty one.
void Engine::Impl::CloseWindows(std::int64_t before_ms) {
  if (before_ms == kUnset) return;
  for (auto& [key, population] : populations_) {
    std::int64_t end_ms = FloorTo(watermark_ms_, population.length_ms);
    if (end_ms <= before_ms) continue;
    population.Closed(end_ms).digest.Merge(population.open_digest);
    population.open_digest = DigestPart();
    // Nobody answers: a benchmark, or a log of before the exchange.
    while (population.closed.size() > kMaxUnanswered) population.closed.erase(population.closed.begin());
  }
}

/// The clock stepped: times of windows mean nothing any more.
void Engine::Impl::ShiftPopulations() {
  for (auto& [key, population] : populations_) {
    population.threshold_end_ms = Population::kNever;
    population.closed.clear();
  }
}

bool Engine::Impl::AwaitsSummaries() const {
  return std::any_of(populations_.begin(), populations_.end(), [](const auto& p) { return !p.second.closed.empty(); });
}

std::vector<WindowSummary> Engine::Impl::PendingSummaries() const {
  std::vector<WindowSummary> all;
  for (const auto& [key, population] : populations_) {
    for (const auto& [end_ms, part] : population.closed) {
      WindowSummary summary{key, end_ms, {}};
      ByteWriter out(summary.bytes);
      part.Save(out);
      all.push_back(std::move(summary));
    }
  }
  return all;
}

void Engine::Impl::OnWindowSummary(const WindowSummary& merged) {
  auto at = populations_.find(merged.population);
  if (at == populations_.end()) return;
  Population& population = at->second;
  ByteReader in(merged.bytes);
  WindowPart part;
  if (!part.Load(in)) return;
  population.threshold = Threshold(part.summary, part.alarmed, population.percentile, population.upper);
  population.threshold_end_ms = merged.end_ms;
  if (population.model) {
    population.models = part.models;
    population.peers.Close(part.models.cohort, merged.end_ms / 1000);
  }
  population.closed.erase(population.closed.begin(), population.closed.upper_bound(merged.end_ms));
  if (!population.digest || part.digest.empty()) return;
  auto profile = profiles_.find(merged.population.profile);
  WindowDigest digest;
  digest.profile = profile->second->config.profile.name;
  for (const model::Behavior& behavior : profile->second->config.profile.behaviors) {
    if (behavior.name.value() == merged.population.behavior) digest.behavior = behavior;
  }
  digest.target = merged.population.target;
  digest.window_end = FromMillis(merged.end_ms);
  digest.raised = part.digest.raised;
  digest.cleared = part.digest.cleared;
  digest.names.assign(part.digest.names.begin(), part.digest.names.end());
  digest.id = MakeDigestId(options_, merged.population, merged.end_ms);
  digest.alert_targets = &profile->second->config.profile.alert_targets;
  sink_.OnDigest(digest);
}

}  // namespace fleetward::detect
