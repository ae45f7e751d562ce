// Cloud-side metrics and the passing of time (reference: detect.md §2, §4; D2, D3, D5, D11).
#include <algorithm>

#include "engine_impl.h"

namespace fleetward::detect {
namespace {

using model::BuiltinMetric;

std::uint64_t CounterOf(const CounterDeltas& deltas, BuiltinMetric metric) {
  switch (metric) {
    case BuiltinMetric::kNumMessagesSent: return deltas.messages_sent;
    case BuiltinMetric::kNumMessagesReceived: return deltas.messages_received;
    case BuiltinMetric::kNumAuthorizationFailures: return deltas.authorization_failures;
    case BuiltinMetric::kNumConnectionAttempts: return deltas.connection_attempts;
    case BuiltinMetric::kNumDisconnects: return deltas.disconnects;
    case BuiltinMetric::kMessageByteSize: return deltas.bytes_sent;   // statistical: the bytes of the window
    default: return 0;
  }
}

bool Any(const CounterDeltas& deltas) {
  return (deltas.messages_sent | deltas.messages_received | deltas.authorization_failures |
          deltas.connection_attempts | deltas.disconnects) != 0;
}

const CounterDeltas* DeltasFor(const PlanWindow& window, const CountsEvent& event) {
  if (!window.dimension) return &event.deltas;
  for (const DimensionDeltas& dimension : event.dimensions) {
    if (dimension.op == window.dimension->op && dimension.dimension == window.dimension->dimension_name.value()) {
      return &dimension.deltas;
    }
  }
  return nullptr;
}

SourceKey KeyOf(const Thing& thing, const PlanWindow& window) {
  if (!window.dimension) return {thing.entity, std::string()};
  return {thing.entity, std::string(model::DimensionOperatorName(window.dimension->op)) + ":" +
                            window.dimension->dimension_name.value()};
}

model::MetricValue AddressValue(const std::vector<model::IpAddress>& addresses) {
  model::Cidrs cidrs;
  for (const model::IpAddress& address : addresses) cidrs.push_back({address, 128});
  return cidrs;
}

Observation Frame(std::int64_t time_ms, std::int64_t window_start_ms, std::int64_t window_end_ms) {
  Observation seen;
  seen.time_ms = time_ms;
  seen.window_start_ms = window_start_ms;
  seen.window_end_ms = window_end_ms;
  seen.covered_ms = window_end_ms - window_start_ms;
  return seen;
}

PendingCounts::Deltas Own(const CounterDeltas& deltas) {
  PendingCounts::Deltas own{deltas, {deltas.source_ips.begin(), deltas.source_ips.end()}};
  own.numbers.source_ips = {};
  return own;
}

CounterDeltas View(const PendingCounts::Deltas& own) {
  CounterDeltas deltas = own.numbers;
  deltas.source_ips = own.source_ips;
  return deltas;
}

PendingCounts Own(const CountsEvent& event) {
  PendingCounts pending{event.thing.entity, std::string(event.thing.name), ToMillis(event.time), event.connected,
                        Own(event.deltas), {}};
  for (const DimensionDeltas& dimension : event.dimensions) {
    pending.dimensions.push_back({std::string(dimension.dimension), dimension.op, Own(dimension.deltas)});
  }
  return pending;
}

}  // namespace

std::int64_t Engine::Impl::FloorBucket(std::int64_t ms) const {
  std::int64_t rest = ms % BucketMs();
  return ms - (rest < 0 ? rest + BucketMs() : rest);
}

void Engine::Impl::OnCounts(const CountsEvent& event) {
  std::int64_t bucket = ToMillis(event.bucket);
  Slab& slab = slabs_[SlabOf(event.thing.entity)];
  if (slab.boundary_ms == kUnset) slab.boundary_ms = FloorBucket(bucket) + BucketMs();
  if (bucket >= slab.boundary_ms) {
    slab.pending[FloorBucket(bucket)].push_back(Own(event));
    MarkChanged(slab);
  } else if (bucket < slab.boundary_ms - BucketMs()) {
    ++stats_.late_values;
  } else {
    AddCounts(event, slab.boundary_ms);
  }
}

void Engine::Impl::AddCounts(const CountsEvent& event, std::int64_t boundary_ms) {
  Thing* thing = FindOrCreate(event.thing);
  if (!thing) return;
  MarkChanged(*thing);
  std::int64_t time_ms = std::clamp(ToMillis(event.time), boundary_ms - BucketMs(), boundary_ms - 1);
  bool seen = event.connected || Any(event.deltas);
  if (seen) thing->last_active_s = static_cast<std::uint32_t>(time_ms / 1000);
  for (const PlanWindow& window : thing->plan().buckets) {
    const CounterDeltas* deltas = DeltasFor(window, event);
    switch (window.feed) {
      case Feed::kPanes: AddToPanes(*thing, window, deltas, seen, time_ms); break;
      case Feed::kSizes: AddToSizes(*thing, window, deltas, seen, time_ms); break;
      case Feed::kSilence: break;
      default: AddToSources(*thing, window, deltas, time_ms);
    }
  }
}

void Engine::Impl::AddToPanes(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas, bool seen,
                              std::int64_t time_ms) {
  auto& state = thing.At<PaneWindow>(window);
  if (seen) state.seen |= 1;
  std::uint64_t delta = deltas ? CounterOf(*deltas, window.metric) : 0;
  if (delta == 0) return;
  state.Add(delta);
  std::int64_t sum = state.Sum(window.layout.panes);
  for (std::uint16_t index : window.behaviors) {
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    bool may = options_.early && code.to_alarm == 1 && !thing.behavior(index).in_alarm();
    std::int64_t pane_start = time_ms - time_ms % window.layout.pane_ms;
    if (code.type == model::CriteriaType::kMachineLearning) continue;
    if (may && code.type == model::CriteriaType::kStatistical) {
      std::int64_t window_start = time_ms - time_ms % code.length_ms;
      EarlyStatistic(thing, index, Frame(time_ms, window_start, time_ms),
                     state.Sum((pane_start - window_start) / window.layout.pane_ms + 1));
      continue;
    }
    if (!may || !code.criteria.limit().IsUpper() || code.criteria.limit().Holds(sum)) continue;
    Observation frame = Frame(time_ms, pane_start - (window.layout.panes - 1) * window.layout.pane_ms, time_ms);
    frame.verdict = Verdict::kViolating;
    frame.cause = Cause::kEarly;
    frame.last = static_cast<std::uint64_t>(sum);
    Datapoint(thing, index, frame, [&] { return model::MetricValue(model::Count{sum}); });
  }
}

void Engine::Impl::AddToSizes(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas, bool seen,
                              std::int64_t time_ms) {
  auto& state = thing.At<SizeWindow>(window);
  if (seen) state.seen = 1;
  if (!deltas || deltas->messages_sent == 0) return;
  state.Add(deltas->max_message_bytes, deltas->min_message_bytes);
  for (std::uint16_t index : window.behaviors) {
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    if (!options_.early || code.to_alarm != 1 || thing.behavior(index).in_alarm()) continue;
    if (code.type != model::CriteriaType::kStatic) continue;
    Observation frame = Frame(time_ms, FloorBucket(time_ms), time_ms);
    frame.cause = Cause::kEarly;
    const NumericLimit& limit = code.criteria.limit();
    auto worst = static_cast<std::int64_t>(limit.IsUpper() ? state.largest : state.smallest);
    if (!limit.Holds(worst)) JudgeSize(thing, index, state, frame);
  }
}

/// Static criteria hold for every single message, so the worst of the bucket decides (detect.md §2).
void Engine::Impl::JudgeSize(Thing& thing, std::uint16_t index, const SizeWindow& state, const Observation& frame) {
  const NumericLimit& limit = thing.plan().behaviors[index].code->criteria.limit();
  Observation seen = frame;
  auto worst = static_cast<std::int64_t>(limit.IsUpper() ? state.largest : state.smallest);
  if (state.messages) {
    seen.verdict = limit.Holds(worst) ? Verdict::kConforming : Verdict::kViolating;
  } else {
    worst = 0;
    seen.verdict = Verdict::kNoMessages;
  }
  seen.last = static_cast<std::uint64_t>(worst);
  Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{worst}); });
}

void Engine::Impl::AddToSources(Thing& thing, const PlanWindow& window, const CounterDeltas* deltas,
                                std::int64_t time_ms) {
  if (!deltas || deltas->source_ips.empty()) return;
  auto& addresses = SlabFor(thing).sources[KeyOf(thing, window)];
  for (const model::IpAddress& address : deltas->source_ips) {
    auto at = std::lower_bound(addresses.begin(), addresses.end(), address);
    bool known = at != addresses.end() && *at == address;
    if (!known && addresses.size() < kMaxSources) addresses.insert(at, address);
  }
  for (std::uint16_t index : window.behaviors) {
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    if (!options_.early || code.to_alarm != 1 || thing.behavior(index).in_alarm()) continue;
    // The addresses of this event are judged even if the bucket's list is full.
    ListFinding found = code.criteria.JudgeAddresses(deltas->source_ips);
    if (found.offending == 0) continue;
    JudgeList(thing, index, found, 0, time_ms, [&] { return AddressValue(addresses); });
  }
}

void Engine::Impl::OnConnection(const ConnectionEvent& event) {
  Thing* thing = FindOrCreate(event.thing);
  if (!thing) return;
  MarkChanged(*thing);
  std::int64_t time_ms = ToMillis(event.time);
  bool was_connected = thing->connections > 0;
  thing->connections = static_cast<std::uint16_t>(std::min<std::uint32_t>(event.open_connections, 65535));
  thing->last_active_s = static_cast<std::uint32_t>(time_ms / 1000);
  bool offline = thing->connections == 0;
  if (offline && (was_connected || !(thing->flags & Thing::kConnectionKnown))) thing->offline_since_ms = time_ms;
  thing->flags |= Thing::kConnectionKnown;
  MarkSeen(*thing);
  JudgeOffline(*thing, time_ms);
}

void Engine::Impl::OnAllDisconnected(Timestamp time) {
  for (Slab& slab : slabs_) {
    for (Thing* thing : slab.things) {
      if (thing->connections == 0) continue;
      thing->connections = 0;
      thing->offline_since_ms = ToMillis(time);
      MarkChanged(slab);
    }
  }
}

/// It was connected at some moment of the open bucket.
void Engine::Impl::MarkSeen(Thing& thing) {
  for (const PlanWindow& window : thing.plan().buckets) {
    if (window.feed == Feed::kPanes) thing.At<PaneWindow>(window).seen |= 1;
    if (window.feed == Feed::kSizes) thing.At<SizeWindow>(window).seen = 1;
  }
}

/// Values are minutes, as in the behavior (detect.md §2), compared with their fraction and shown without.
void Engine::Impl::JudgeOffline(Thing& thing, std::int64_t time_ms) {
  if (!(thing.flags & Thing::kConnectionKnown)) return;
  std::int64_t offline_ms = thing.connections > 0 ? 0 : std::max<std::int64_t>(time_ms - thing.offline_since_ms, 0);
  for (std::uint16_t index : thing.plan().offline) {
    const NumericLimit& limit = thing.plan().behaviors[index].code->criteria.limit();
    Observation seen = Frame(time_ms, time_ms - offline_ms, time_ms);
    seen.verdict = limit.Holds(static_cast<double>(offline_ms) / 60'000.0) ? Verdict::kConforming : Verdict::kViolating;
    seen.last = static_cast<std::uint64_t>(offline_ms / 60'000);
    Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{offline_ms / 60'000}); });
  }
}

/// Seconds since the thing's last report. What was not watched is no silence: a thing that never reported is counted
/// from the first bucket in which the behavior covers it, and after a gap in the watch the count begins anew.
void Engine::Impl::JudgeSilence(Thing& thing, const PlanWindow& window, std::int64_t time_ms) {
  auto& state = thing.At<SilenceWindow>(window);
  if (state.since_ms == 0) state.since_ms = time_ms - BucketMs();
  std::int64_t last = state.since_ms;
  if (thing.last_report_ms != Thing::kNever) last = std::max(last, thing.last_report_ms);
  std::int64_t silent_ms = std::max<std::int64_t>(time_ms - last, 0);
  for (std::uint16_t index : window.behaviors) {
    const NumericLimit& limit = thing.plan().behaviors[index].code->criteria.limit();
    Observation seen = Frame(time_ms, time_ms - silent_ms, time_ms);
    seen.verdict = limit.Holds(static_cast<double>(silent_ms) / 1000.0) ? Verdict::kConforming : Verdict::kViolating;
    // Only a report ends an alarm, not that the count began anew.
    bool reported = thing.last_report_ms != Thing::kNever && thing.last_report_ms >= state.since_ms;
    if (seen.verdict == Verdict::kConforming && thing.behavior(index).in_alarm() && !reported) continue;
    seen.last = static_cast<std::uint64_t>(silent_ms / 1000);
    Datapoint(thing, index, seen, [&] { return model::MetricValue(model::Count{silent_ms / 1000}); });
  }
}

void Engine::Impl::OnWatermark(Timestamp time) {
  std::int64_t now = ToMillis(time);
  if (now < watermark_ms_) return;
  std::int64_t before = watermark_ms_;
  watermark_ms_ = now;
  for (Slab& slab : slabs_) {
    if (slab.boundary_ms == kUnset) slab.boundary_ms = FloorBucket(now) + BucketMs();
    while (slab.boundary_ms <= now) {
      // Live watermarks come each second. After a long jump nobody watched the devices in between.
      if (now - slab.boundary_ms >= std::max(BucketMs(), kUnobservedMs)) {
        BreakWindows(slab);
        slab.boundary_ms = FloorBucket(now);
      } else {
        CloseBucket(slab);
      }
      slab.boundary_ms += BucketMs();
      auto waiting = std::move(slab.pending);
      slab.pending.clear();
      for (auto& [bucket, events] : waiting) {
        if (bucket >= slab.boundary_ms) {
          slab.pending.emplace(bucket, std::move(events));
          continue;
        }
        for (const PendingCounts& own : events) {
          std::vector<DimensionDeltas> dimensions;
          for (const auto& d : own.dimensions) dimensions.push_back({d.name, d.op, View(d.deltas)});
          OnCounts({{own.entity, own.name}, FromMillis(bucket), FromMillis(own.time_ms), own.connected,
                    View(own.deltas), dimensions});
        }
      }
    }
  }
  CloseWindows(before);
  storms_.OnWatermark(time);
}

void Engine::Impl::CloseBucket(Slab& slab) {
  constexpr std::size_t kAhead = 4;
  if (!slab.things.empty()) MarkChanged(slab);
  // From the last to the first, so that a thing may be dropped on the way: its place is taken by one that is done.
  for (std::size_t i = slab.things.size(); i-- > 0;) {
    // The blocks lie anywhere; fetching ahead hides most of the wait.
    if (i >= kAhead) PrefetchThing(slab.things[i - kAhead]);
    Thing& thing = *slab.things[i];
    CloseThing(thing, slab.boundary_ms);
    if (!thing.cohort->registered && IsForgotten(thing, slab.boundary_ms)) Discard(&thing);
  }
  slab.sources.clear();
}

void Engine::Impl::CloseThing(Thing& thing, std::int64_t boundary_ms) {
  for (const PlanWindow& window : thing.plan().buckets) {
    switch (window.feed) {
      case Feed::kPanes: ClosePanes(thing, window, boundary_ms); break;
      case Feed::kSizes: CloseSizes(thing, window, boundary_ms); break;
      case Feed::kSilence: JudgeSilence(thing, window, boundary_ms); break;
      default: CloseSources(thing, window, boundary_ms);
    }
  }
  if (!thing.plan().offline.empty()) JudgeOffline(thing, boundary_ms);
  if (!thing.plan().statistics.empty()) CloseStatistics(thing, boundary_ms);
  if (!thing.plan().models.empty()) CloseModels(thing, boundary_ms);
  if (thing.alarms > 0) TimeOutAlarms(thing, boundary_ms);
}

void Engine::Impl::ClosePanes(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms) {
  if (boundary_ms % window.layout.pane_ms != 0) return;
  auto& state = thing.At<PaneWindow>(window);
  std::int64_t panes = window.layout.panes;
  std::int64_t sum = state.Sum(panes);
  for (std::uint16_t index : window.behaviors) {
    const CompiledBehavior& code = *thing.plan().behaviors[index].code;
    BehaviorState& behavior = thing.behavior(index);
    bool compared = code.type != model::CriteriaType::kStatic;
    if (compared && boundary_ms % code.length_ms != 0) continue;
    const NumericLimit& limit = code.criteria.limit();
    bool holds = compared || limit.Holds(sum);
    if (state.seen == 0) {
      behavior.verdict = Verdict::kNotConnected;
    } else if (!state.Complete(panes) && (holds || !limit.IsUpper())) {
      if (behavior.verdict != Verdict::kUnobserved) behavior.verdict = Verdict::kWindowIncomplete;
    } else {
      if (!compared && Settle(behavior, boundary_ms, holds, static_cast<std::uint64_t>(sum))) continue;
      Observation frame = Frame(boundary_ms, boundary_ms - panes * window.layout.pane_ms, boundary_ms);
      if (compared) {
        JudgeKind(thing, index, frame, sum);
        continue;
      }
      frame.verdict = holds ? Verdict::kConforming : Verdict::kViolating;
      frame.last = static_cast<std::uint64_t>(sum);
      Datapoint(thing, index, frame, [&] { return model::MetricValue(model::Count{sum}); });
    }
  }
  state.Shift(panes);
  if (thing.connections > 0) state.seen |= 1;
}

void Engine::Impl::CloseSizes(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms) {
  auto& state = thing.At<SizeWindow>(window);
  for (std::uint16_t index : window.behaviors) {
    if (thing.plan().behaviors[index].model >= 0) {
      // The largest message; a bucket without messages says nothing of their size.
      if (state.messages) {
        JudgeKind(thing, index, Frame(boundary_ms, boundary_ms - BucketMs(), boundary_ms),
                  static_cast<std::int64_t>(state.largest));
      } else {
        thing.behavior(index).verdict = state.seen ? Verdict::kNoMessages : Verdict::kNotConnected;
      }
    } else if (state.messages || state.seen) {
      JudgeSize(thing, index, state, Frame(boundary_ms, boundary_ms - BucketMs(), boundary_ms));
    } else {
      thing.behavior(index).verdict = Verdict::kNotConnected;
    }
  }
  state = SizeWindow();
  state.seen = thing.connections > 0;
}

void Engine::Impl::CloseSources(Thing& thing, const PlanWindow& window, std::int64_t boundary_ms) {
  const Sources& sources = SlabFor(thing).sources;
  auto at = sources.find(KeyOf(thing, window));
  for (std::uint16_t index : window.behaviors) {
    if (at == sources.end()) {
      thing.behavior(index).verdict = Verdict::kNoAddress;
      continue;
    }
    ListFinding found = thing.plan().behaviors[index].code->criteria.JudgeAddresses(at->second);
    JudgeList(thing, index, found, 0, boundary_ms, [&] { return AddressValue(at->second); });
  }
}

/// An alarm whose metric has been silent for more than two days ends without a value (detect.md §4).
void Engine::Impl::TimeOutAlarms(Thing& thing, std::int64_t boundary_ms) {
  for (std::size_t i = 0; i < thing.plan().behaviors.size(); ++i) {
    const BehaviorState& state = thing.behavior(i);
    if (!state.in_alarm() || boundary_ms / 1000 - std::int64_t{state.last_seen_s} <= kSilenceSeconds) continue;
    Invalidate(thing, static_cast<std::uint16_t>(i), thing.plan(), Cause::kSilent, FromMillis(boundary_ms));
  }
}

/// Names of no registered thing are forgotten after two silent days, so that they cannot pile up.
bool Engine::Impl::IsForgotten(const Thing& thing, std::int64_t boundary_ms) const {
  return thing.connections == 0 && thing.alarms == 0 &&
         boundary_ms / 1000 - std::int64_t{thing.last_active_s} > kSilenceSeconds;
}

/// Time passed that nobody watched, or the clock stepped: open buckets are given up.
void Engine::Impl::BreakWindows(Slab& slab) {
  if (!slab.things.empty()) MarkChanged(slab);
  for (Thing* thing : slab.things) {
    for (const PlanStatistic& statistic : thing->plan().statistics) thing->At(statistic).flags &= ~StatisticState::kGiven;
    for (const PlanWindow& window : thing->plan().buckets) {
      if (window.feed == Feed::kPanes) {
        auto& state = thing->At<PaneWindow>(window);
        state.Break(window.layout.panes);
        state.seen = thing->connections > 0;
        for (std::uint16_t index : window.behaviors) thing->behavior(index).verdict = Verdict::kUnobserved;
      } else if (window.feed == Feed::kSizes) {
        auto& state = thing->At<SizeWindow>(window);
        state = SizeWindow();
        state.seen = thing->connections > 0;
      } else if (window.feed == Feed::kSilence) {
        thing->At<SilenceWindow>(window) = SilenceWindow();
      }
    }
  }
  slab.sources.clear();
}

void Engine::Impl::OnClockStep(std::int64_t step_ms, Timestamp after) {
  std::int64_t now = ToMillis(after);
  auto shift = [&](std::uint32_t& seconds) {
    if (seconds != 0) seconds = static_cast<std::uint32_t>(std::max<std::int64_t>(seconds + step_ms / 1000, 1));
  };
  for (Slab& slab : slabs_) {
    BreakWindows(slab);
    slab.boundary_ms = FloorBucket(now) + BucketMs();
    slab.pending.clear();
    for (Thing* thing : slab.things) {
      if (thing->last_report_ms != Thing::kNever) thing->last_report_ms += step_ms;
      thing->offline_since_ms += step_ms;
      shift(thing->last_active_s);
      for (std::size_t i = 0; i < thing->plan().behaviors.size(); ++i) shift(thing->behavior(i).last_seen_s);
      for (const PlanStatistic& statistic : thing->plan().statistics) shift(thing->At(statistic).closed_s);
    }
  }
  watermark_ms_ = now;
  ShiftPopulations();
}

}  // namespace fleetward::detect
