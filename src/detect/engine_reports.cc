// Device-side metrics: evaluated when a report arrives (reference: detect.md §2; D4, D5, D6).
#include <bit>

#include "engine_impl.h"

namespace fleetward::detect {
namespace {

using model::BuiltinMetric;
using model::ValueKind;

std::uint32_t V4Word(const model::IpAddress& address) {
  if (!address.IsV4()) return 0;
  return static_cast<std::uint32_t>(address.bytes[12]) << 24 | static_cast<std::uint32_t>(address.bytes[13]) << 16 |
         static_cast<std::uint32_t>(address.bytes[14]) << 8 | address.bytes[15];
}

Observation AtOnce(std::int64_t time_ms, bool holds, std::uint64_t last) {
  Observation seen;
  seen.time_ms = seen.window_start_ms = seen.window_end_ms = time_ms;
  seen.verdict = holds ? Verdict::kConforming : Verdict::kViolating;
  seen.last = last;
  return seen;
}

}  // namespace

void Engine::Impl::Prefetch(const model::EntityId& entity, Ahead ahead) const {
  if (ahead == Ahead::kEntry) return table_.Prefetch(entity);
  const Thing* thing = table_.FindByHash(entity);
  if (!thing) return;
  if (ahead == Ahead::kState) return PrefetchThing(thing);
  PrefetchRest(*thing);
}

void Engine::Impl::OnReport(const ReportEvent& event) {
  Thing* thing = FindOrCreate(event.thing);
  if (!thing) return;
  std::int64_t time_ms = ToMillis(event.time);
  MarkChanged(*thing);
  if (event.late || event.spooled || (thing->last_report_ms != Thing::kNever && time_ms < thing->last_report_ms)) {
    ++stats_.late_values;
    MarkLate(*thing);
    return;
  }
  JudgeReport(*thing, event);
}

/// The counters stay as they are; `why` can say what happened.
void Engine::Impl::MarkLate(Thing& thing) {
  const Plan& plan = thing.plan();
  auto mark = [&](const std::vector<std::uint16_t>& behaviors) {
    for (std::uint16_t index : behaviors) thing.behavior(index).verdict = Verdict::kLate;
  };
  for (const auto* behaviors : {&plan.counts, &plan.tcp_ports, &plan.udp_ports, &plan.remotes}) mark(*behaviors);
  for (const PlanWindow& window : plan.deltas) mark(window.behaviors);
  for (const Plan::Custom& custom : plan.customs) mark(custom.behaviors);
}

void Engine::Impl::JudgeReport(Thing& thing, const ReportEvent& event) {
  const report::MetricReport& report = *event.report;
  const Plan& plan = thing.plan();
  std::int64_t time_ms = ToMillis(event.time);
  bool first = thing.last_report_ms == Thing::kNever;
  std::int64_t elapsed_ms = first ? 0 : time_ms - thing.last_report_ms;
  bool gap = event.gap || (!first && IsGap(elapsed_ms, thing.interval_ms));
  thing.last_report_ms = time_ms;
  thing.last_active_s = static_cast<std::uint32_t>(time_ms / 1000);
  if (!first) {
    std::int64_t next = thing.interval_ms == 0 ? elapsed_ms : NextInterval(elapsed_ms, thing.interval_ms);
    thing.interval_ms = static_cast<std::uint32_t>(std::min<std::int64_t>(next, UINT32_MAX));
  }

  for (const PlanWindow& window : plan.buckets) {
    if (window.feed == Feed::kSilence) JudgeSilence(thing, window, time_ms);
  }
  JudgeDeltas(thing, event, elapsed_ms, first, gap);
  for (std::uint16_t index : plan.counts) {
    const CompiledBehavior& code = *plan.behaviors[index].code;
    if (auto count = report::CountOf(report, code.metric)) {
      if (code.type != model::CriteriaType::kStatic) {
        JudgeKind(thing, index, AtOnce(time_ms, true, 0), *count);
        continue;
      }
      bool holds = code.criteria.limit().Holds(*count);
      auto last = static_cast<std::uint64_t>(*count);
      if (Settle(thing.behavior(index), time_ms, holds, last)) continue;
      Datapoint(thing, index, AtOnce(time_ms, holds, last), [&] { return model::MetricValue(model::Count{*count}); });
    }
  }
  auto judge_ports = [&](const std::vector<std::uint16_t>& behaviors, const report::PortList& list) {
    if (!list.listed) return;
    for (std::uint16_t index : behaviors) {
      ListFinding found = plan.behaviors[index].code->criteria.JudgePorts(list.ports);
      std::uint32_t example = found.offending ? list.ports[found.first_offending] : 0;
      JudgeList(thing, index, found, example, time_ms, [&] { return model::MetricValue(list.ports); });
    }
  };
  judge_ports(plan.tcp_ports, report.tcp);
  judge_ports(plan.udp_ports, report.udp);
  if (report.connections.listed) {
    for (std::uint16_t index : plan.remotes) {
      ListFinding found = plan.behaviors[index].code->criteria.JudgeRemotes(report.connections.remotes);
      std::uint32_t example = found.offending ? V4Word(report.connections.remotes[found.first_offending].address) : 0;
      JudgeList(thing, index, found, example, time_ms,
                [&] { return report::ValueOf(report, BuiltinMetric::kDestinationIpAddresses); });
    }
  }
  for (const Plan::Custom& custom : plan.customs) {
    if (auto value = report.custom.Find(*custom.name)) JudgeCustom(thing, custom, *value, time_ms);
  }
}

void Engine::Impl::JudgeCustom(Thing& thing, const Plan::Custom& custom, const report::CustomMetrics::View& value,
                               std::int64_t time_ms) {
  const Plan& plan = thing.plan();
  bool fits = value.fault() == report::CustomFault::kNone && model::KindOf(value.type()) == custom.kind;
  for (std::uint16_t index : custom.behaviors) {
    BehaviorState& state = thing.behavior(index);
    if (!fits) {
      state.verdict = Verdict::kKindMismatch;
      state.last_seen_s = static_cast<std::uint32_t>(time_ms / 1000);
      continue;
    }
    const StaticCriteria& criteria = plan.behaviors[index].code->criteria;
    auto make = [&] { return report::ValueOf(value); };
    switch (custom.kind) {
      case ValueKind::kNumbers:
        JudgeList(thing, index, criteria.JudgeNumbers(value.numbers()), 0, time_ms, make);
        break;
      case ValueKind::kStrings: JudgeList(thing, index, criteria.JudgeStrings(value), 0, time_ms, make); break;
      case ValueKind::kCidrs: {
        ListFinding found = criteria.JudgePrefixes(value.addresses());
        std::uint32_t example = found.offending ? V4Word(value.addresses()[found.first_offending].address) : 0;
        JudgeList(thing, index, found, example, time_ms, make);
        break;
      }
      default: {
        double number = value.number();
        if (plan.behaviors[index].code->type != model::CriteriaType::kStatic) {
          JudgeKind(thing, index, AtOnce(time_ms, true, 0), number);
          break;
        }
        bool holds = criteria.limit().Holds(number);
        auto last = std::bit_cast<std::uint64_t>(number);
        if (Settle(state, time_ms, holds, last)) break;
        Datapoint(thing, index, AtOnce(time_ms, holds, last), make);
      }
    }
  }
}

void Engine::Impl::JudgeDeltas(Thing& thing, const ReportEvent& event, std::int64_t elapsed_ms, bool first, bool gap) {
  std::int64_t time_ms = ToMillis(event.time);
  for (const PlanWindow& window : thing.plan().deltas) {
    auto delta = report::CountOf(*event.report, window.metric);
    if (!delta) continue;
    auto& state = thing.At<DeltaWindow>(window);
    if (first || gap) {
      state.Reset();
      for (std::uint16_t index : window.behaviors) {
        thing.behavior(index).verdict = first ? Verdict::kFirstDelta : Verdict::kGap;
        thing.behavior(index).last_seen_s = static_cast<std::uint32_t>(time_ms / 1000);
      }
      continue;
    }
    if (auto closed = state.Add(*delta, elapsed_ms, window.needed_ms)) {
      CloseDelta(thing, window, *closed, time_ms);
    } else {
      EarlyDelta(thing, window, state, time_ms);
    }
  }
}

void Engine::Impl::CloseDelta(Thing& thing, const PlanWindow& window, const DeltaWindow::Closed& closed,
                              std::int64_t time_ms) {
  for (std::uint16_t index : window.behaviors) {
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    bool compared = code.type != model::CriteriaType::kStatic;
    bool holds = code.criteria.limit().Holds(closed.value);
    auto last = static_cast<std::uint64_t>(closed.value);
    if (!compared && Settle(thing.behavior(index), time_ms, holds, last)) continue;
    Observation seen = AtOnce(time_ms, holds, last);
    seen.window_start_ms = time_ms - closed.covered_ms;
    seen.covered_ms = closed.covered_ms;
    seen.scaled = closed.scaled;
    if (compared) {
      JudgeKind(thing, index, seen, closed.value);
      continue;
    }
    Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{closed.value}); });
  }
}

/// The window is open, but what it holds may already be too much (D5).
void Engine::Impl::EarlyDelta(Thing& thing, const PlanWindow& window, const DeltaWindow& state, std::int64_t time_ms) {
  for (std::uint16_t index : window.behaviors) {
    BehaviorState& behavior = thing.behavior(index);
    behavior.last_seen_s = static_cast<std::uint32_t>(time_ms / 1000);
    if (behavior.verdict != Verdict::kConforming && behavior.verdict != Verdict::kViolating) {
      behavior.verdict = Verdict::kWindowOpen;
    }
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    bool may = options_.early && code.to_alarm == 1 && !behavior.in_alarm();
    if (code.type == model::CriteriaType::kMachineLearning) continue;
    if (may && code.type == model::CriteriaType::kStatistical) {
      Observation seen = AtOnce(time_ms, false, 0);
      seen.window_start_ms = time_ms - state.covered_ms;
      seen.covered_ms = state.covered_ms;
      EarlyStatistic(thing, index, seen, state.sum);
      continue;
    }
    if (!may || !code.criteria.limit().IsUpper() || code.criteria.limit().Holds(state.sum)) continue;
    Observation seen = AtOnce(time_ms, false, static_cast<std::uint64_t>(state.sum));
    seen.cause = Cause::kEarly;
    seen.window_start_ms = time_ms - state.covered_ms;
    seen.covered_ms = state.covered_ms;
    Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{state.sum}); });
  }
}

}  // namespace fleetward::detect
