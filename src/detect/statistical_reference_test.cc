// Statistical behaviors against a slow, obvious evaluator: it keeps every datapoint of every thing, and for each one
// sorts what the others gave to the window before (D7). Random fleets, profiles and events; what fails is made smaller
// before it is shown.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "testing/reference_fleet.h"
#include "testing/support.h"

namespace fleetward::detect {
namespace {

using model::BuiltinMetric;
using model::ComparisonOperator;

constexpr std::int64_t kStart = 1'767'225'600'000;
constexpr std::int64_t kBucket = 300'000;
constexpr char kNumber[] = "num";
constexpr char kDimension[] = "d";

/// What the broker counted, or the part of it on one side of a dimension.
struct Traffic {
  std::int64_t sent = 0, size = 0;                  // messages, bytes
};

struct FleetEvent {
  enum Kind { kReport, kCounts, kConnection, kMove, kProfile, kWatermark } kind{};
  std::int64_t ms = 0;
  int thing = 0;
  std::optional<std::int64_t> bytes, established;   // of a report
  std::optional<double> number;
  bool late = false;
  Traffic all, in, not_in;                          // of counts
  bool connected = false;
  std::uint32_t open = 0;                           // connections
  int group = 0;                                    // kMove
  std::size_t version = 0;                          // kProfile

  std::string Text() const {
    static constexpr const char* kNames[] = {"report", "counts", "connection", "move", "profile", "watermark"};
    auto text = [](const auto& value) { return value ? std::to_string(*value) : std::string("-"); };
    std::string out = std::to_string((ms - kStart) / 1000) + " s " + kNames[kind] + " t" + std::to_string(thing);
    if (kind == kReport) out += " bytes " + text(bytes) + " established " + text(established) + " number " + text(number);
    if (kind == kCounts) {
      out += " sent " + std::to_string(all.sent) + " size " + std::to_string(all.size) + ", of these in " +
             std::to_string(in.sent) + " size " + std::to_string(in.size);
    }
    return out + (late ? " late" : "") + (connected ? " connected" : "") + " open " + std::to_string(open) + " group " +
           std::to_string(group) + " version " + std::to_string(version);
  }
};

struct Fleet {
  int things = 0;
  bool groups = false;                              // two targets, else all things
  std::vector<std::vector<model::Behavior>> versions;   // of the profile
  std::vector<FleetEvent> events;
};

using Transitions = std::vector<std::string>;
/// By thing, then behavior.
using Outcome = std::map<std::pair<int, std::string>, Transitions>;

// --- the evaluator ---------------------------------------------------------------------------------------------------

/// One behavior of the profile, over all things.
class FleetReference {
 public:
  FleetReference(const Fleet& fleet, std::size_t index) : fleet_(fleet), index_(index), things_(fleet.things) {
    for (int i = 0; i < fleet.things; ++i) things_[static_cast<std::size_t>(i)].group = i % 2;
    Define(0);
  }

  void Take(const FleetEvent& event) {
    if (event.kind == FleetEvent::kWatermark) return Watermark(event.ms);
    if (event.kind == FleetEvent::kProfile) return Change(event);
    Thing& thing = things_[static_cast<std::size_t>(event.thing)];
    if (event.kind == FleetEvent::kMove) return Move(thing, event);
    if (event.kind == FleetEvent::kReport) {
      if (event.late || (!thing.reports.empty() && thing.reports.back().ms > event.ms)) return;
      thing.reports.push_back(event);
      if (!Cloud()) Report(thing);
    } else if (event.kind == FleetEvent::kCounts) {
      if (event.late) return;
      thing.counts.push_back(event);
      if (Cloud()) Early(thing, event);
    } else {
      thing.connections.push_back(event);
    }
  }

  void Tell(Outcome& outcome) const {
    for (std::size_t i = 0; i < things_.size(); ++i) {
      outcome[{static_cast<int>(i), behavior_.name.value()}] = things_[i].transitions;
    }
  }

 private:
  struct Point {
    std::int64_t ms;
    double value;
  };
  struct Thing {
    int group = 0;
    std::int64_t moved_ms = 0;
    std::vector<FleetEvent> reports, counts, connections;
    std::vector<Point> points;                      // under the present definition
    std::vector<bool> sides;                        // violating or not, where it was decided
    bool alarm = false;
    std::optional<double> bound;                    // of what it gives
    Transitions transitions;
  };

  void Define(std::size_t version) { behavior_ = fleet_.versions[version][index_]; }
  const model::BehaviorCriteria& criteria() const { return *behavior_.criteria; }
  std::int64_t Length() const { return *criteria().duration_seconds * std::int64_t{1000}; }
  bool Is(const char* metric) const { return *behavior_.metric == metric; }
  bool Cloud() const { return Is("aws:num-messages-sent") || Is("aws:message-byte-size"); }
  std::int64_t Counted(const FleetEvent& counts) const {
    const Traffic* traffic = &counts.all;
    if (behavior_.dimension) {
      traffic = behavior_.dimension->op == model::DimensionOperator::kIn ? &counts.in : &counts.not_in;
    }
    return Is("aws:num-messages-sent") ? traffic->sent : traffic->size;
  }
  bool Upper() const { return *criteria().comparison_operator <= ComparisonOperator::kLessThanEquals; }
  bool Holds(double value, double limit) const {
    switch (*criteria().comparison_operator) {
      case ComparisonOperator::kLessThan: return value < limit;
      case ComparisonOperator::kLessThanEquals: return value <= limit;
      case ComparisonOperator::kGreaterThan: return value > limit;
      default: return value >= limit;
    }
  }

  /// Another definition starts anew; the same one goes on.
  void Change(const FleetEvent& event) {
    model::Behavior before = behavior_;
    Define(event.version);
    if (before.SameDefinition(behavior_)) return;
    given_.clear();
    for (Thing& thing : things_) {
      if (thing.alarm) thing.transitions.push_back("invalidated@" + std::to_string((event.ms - kStart) / 1000));
      thing.alarm = false;
      thing.bound.reset();
      thing.points.clear();
      thing.sides.clear();
    }
  }

  void Move(Thing& thing, const FleetEvent& event) {
    if (thing.group == event.group) return;
    thing.group = event.group;
    thing.moved_ms = event.ms;
    thing.bound.reset();
  }

  // --- datapoints

  /// A window of reports is full at nine tenths, and read per length from eleven tenths on (D4).
  void Report(Thing& thing) {
    const FleetEvent& now = thing.reports.back();
    if (Is("aws:num-established-tcp-connections")) {
      if (now.established) Judge(thing, now.ms, static_cast<double>(*now.established));
      return;
    }
    if (Is(kNumber)) {
      if (now.number) Judge(thing, now.ms, *now.number);
      return;
    }
    std::int64_t covered = 0, sum = 0, interval = 0;
    for (std::size_t i = 0; i < thing.reports.size(); ++i) {
      const FleetEvent& report = thing.reports[i];
      std::int64_t elapsed = i == 0 ? 0 : report.ms - thing.reports[i - 1].ms;
      bool gap = i == 0 || elapsed * 10 > (interval > 0 ? interval : 300'000) * 22;
      if (i > 0) interval = interval == 0 ? elapsed : std::max(elapsed, interval / 2);
      if (!report.bytes) continue;
      covered = gap ? 0 : covered + elapsed;
      sum = gap ? 0 : sum + *report.bytes;
      bool last = i + 1 == thing.reports.size(), full = covered * 10 >= Length() * 9;
      if (last && full) CloseReports(thing, now.ms, static_cast<double>(sum), static_cast<double>(covered));
      if (last && !full && !gap) EarlyReports(thing, now.ms, static_cast<double>(sum));
      if (full) covered = sum = 0;
    }
  }

  void CloseReports(Thing& thing, std::int64_t ms, double sum, double covered) {
    auto length = static_cast<double>(Length());
    double scaled = sum * length / covered;
    if (covered > 1.1 * length) return Judge(thing, ms, std::floor(scaled + 0.5));
    // What jitter alone can explain is no violation: either reading will do.
    Judge(thing, ms, sum, Upper() ? std::floor(scaled) : std::ceil(scaled));
  }

  /// What the window may still be read as when it is full at eleven tenths.
  void EarlyReports(Thing& thing, std::int64_t ms, double sum) { DecideEarly(thing, ms, std::floor(sum * 10 / 11)); }

  void Early(Thing& thing, const FleetEvent& now) {
    if (Counted(now) == 0) return;
    DecideEarly(thing, now.ms, Sum(thing, now.ms / Length() * Length(), now.ms + 1));
  }

  void DecideEarly(Thing& thing, std::int64_t ms, double value) {
    if (!Upper() || thing.alarm || criteria().consecutive_datapoints_to_alarm.value_or(1) != 1) return;
    auto limit = Limit(thing);
    if (limit && !Holds(value, *limit)) Decide(thing, ms, true);
  }

  /// Of the buckets that begin in [from, to).
  double Sum(const Thing& thing, std::int64_t from, std::int64_t to) const {
    double sum = 0;
    for (const FleetEvent& counts : thing.counts) {
      std::int64_t bucket = counts.ms / kBucket * kBucket;
      if (bucket >= from && bucket < to) sum += static_cast<double>(Counted(counts));
    }
    return sum;
  }

  static bool Seen(const Thing& thing, std::int64_t from, std::int64_t to) {
    bool connected = false;
    for (const FleetEvent& connection : thing.connections) {
      if (connection.ms >= to) continue;
      if (connection.ms >= from) return true;
      connected = connection.open > 0;
    }
    return connected || std::any_of(thing.counts.begin(), thing.counts.end(), [&](const FleetEvent& counts) {
      return counts.ms >= from && counts.ms < to && (counts.connected || counts.all.sent > 0);
    });
  }

  void Watermark(std::int64_t ms) {
    if (ms % Length() != 0) return;
    for (Thing& thing : things_) {
      if (Cloud() && Seen(thing, ms - Length(), ms)) Judge(thing, ms, Sum(thing, ms - Length(), ms));
    }
    std::vector<Given> given;
    for (Thing& thing : things_) {
      Bound(thing);
      if (thing.points.empty() || ms - thing.points.back().ms > Reach(thing)) continue;
      double value = thing.points.back().value;
      if (value >= 0 && thing.bound) value = Upper() ? std::min(value, *thing.bound) : std::max(value, *thing.bound);
      given.push_back({&thing, thing.group, value, thing.alarm});
    }
    given_ = std::move(given);
    given_ms_ = ms;
  }

  /// What violates counts up to twice the limit (from half of a lower one), which then moves by a thirty-second part a
  /// window at most; counts in whole numbers.
  void Bound(Thing& thing) const {
    bool violates = thing.alarm || (!thing.sides.empty() && thing.sides.back());
    if (!violates || MostInAlarm(thing)) return thing.bound.reset();
    auto limit = Limit(thing);
    if (!limit) return;
    bool count = !Is(kNumber);
    double fresh = Upper() ? 2 * *limit : *limit / 2;
    if (count && Upper() && *limit == 0) fresh = 1;
    if (!count && Upper() && *limit == 0) fresh = std::nextafter(0, 1);
    if (count && !Upper()) fresh = std::ceil(*limit / 2);
    if (thing.bound) {
      double step = count ? std::floor(*thing.bound / 32) + 1 : *thing.bound / 32;
      fresh = Upper() ? std::min(fresh, *thing.bound + step) : std::max(fresh, std::max(*thing.bound - step, 0.0));
    }
    thing.bound = fresh;
  }

  /// How old a thing's last value may be to count for a window.
  std::int64_t Reach(const Thing& thing) const {
    if (Cloud()) return 0;
    std::int64_t interval = 0;
    for (std::size_t i = 1; i < thing.reports.size(); ++i) {
      std::int64_t elapsed = thing.reports[i].ms - thing.reports[i - 1].ms;
      interval = interval == 0 ? elapsed : std::max(elapsed, interval / 2);
    }
    return (std::max(Length(), interval) * 11 / 10 + 999) / 1000 * 1000;   // times are kept in whole seconds
  }

  // --- decisions

  bool MostInAlarm(const Thing& thing) const {
    std::size_t all = 0, alarmed = 0;
    for (const Given& given : given_) {
      if ((fleet_.groups && given.group != thing.group) || given.value < 0) continue;
      ++all;
      alarmed += given.alarm;
    }
    return alarmed * 2 > all;
  }

  /// The percentile of the others, by sorting them; nothing if there are fewer than ten or one is negative. For a thing
  /// in alarm the others in alarm lie beyond the rest, unless they are the most.
  std::optional<double> Limit(const Thing& thing) const {
    std::vector<double> others;
    std::size_t beyond = 0;
    bool leave_out = thing.alarm && !MostInAlarm(thing);
    for (const Given& given : given_) {
      if (fleet_.groups && given.group != thing.group) continue;
      if (given.value < 0) return std::nullopt;
      bool own = given.thing == &thing && thing.moved_ms < given_ms_;
      if (own) continue;
      if (leave_out && given.alarm) {
        ++beyond;
      } else {
        others.push_back(given.value);
      }
    }
    if (others.size() + beyond < 10) return std::nullopt;
    std::sort(others.begin(), others.end());
    others.insert(Upper() ? others.end() : others.begin(), beyond, Upper() ? others.back() : others.front());
    double share = std::stod(criteria().statistic->substr(1));
    auto rank = static_cast<std::size_t>(std::ceil(static_cast<double>(others.size()) * share / 100 - 1e-9));
    return others[std::max<std::size_t>(rank, 1) - 1];
  }

  void Judge(Thing& thing, std::int64_t ms, double value, std::optional<double> other_reading = std::nullopt) {
    auto limit = Limit(thing);
    thing.points.push_back({ms, value});
    if (limit) Decide(thing, ms, !Holds(value, *limit) && !(other_reading && Holds(*other_reading, *limit)));
  }

  void Decide(Thing& thing, std::int64_t ms, bool violating) {
    thing.sides.push_back(violating);
    auto trailing = [&](bool side) {
      int n = 0;
      for (auto at = thing.sides.rbegin(); at != thing.sides.rend() && *at == side; ++at) ++n;
      return n;
    };
    std::string at = "@" + std::to_string((ms - kStart) / 1000);
    if (!thing.alarm && trailing(true) >= criteria().consecutive_datapoints_to_alarm.value_or(1)) {
      thing.alarm = true;
      thing.transitions.push_back("in-alarm" + at);
    } else if (thing.alarm && trailing(false) >= criteria().consecutive_datapoints_to_clear.value_or(1)) {
      thing.alarm = false;
      thing.transitions.push_back("cleared" + at);
    }
  }

  struct Given {
    const Thing* thing;
    int group;
    double value;
    bool alarm;
  };
  const Fleet& fleet_;
  const std::size_t index_;
  model::Behavior behavior_;
  std::vector<Thing> things_;
  std::vector<Given> given_;                        // to the last window
  std::int64_t given_ms_ = 0;
};

Outcome Expected(const Fleet& fleet) {
  Outcome outcome;
  for (std::size_t i = 0; i < fleet.versions[0].size(); ++i) {
    FleetReference reference(fleet, i);
    for (const FleetEvent& event : fleet.events) reference.Take(event);
    reference.Tell(outcome);
  }
  return outcome;
}

// --- the engine ------------------------------------------------------------------------------------------------------

class FleetEngine {
 public:
  explicit FleetEngine(const Fleet& fleet) : fleet_(fleet), engine_(ReferenceOptions(), sink_) {
    engine_.SetCustomMetric({model::CustomMetricName(kNumber), model::kFirstCustomMetric, model::CustomMetricType::kNumber},
                            FromMillis(kStart));
    config_.SetProfile(engine_, 0, fleet.versions[0], FromMillis(kStart));
    for (int i = 0; i < fleet.things; ++i) ReferenceFleet::SetThing(engine_, i, i % 2, FromMillis(kStart));
    engine_.OnWatermark(FromMillis(kStart));
  }

  Outcome Run() {
    for (const FleetEvent& event : fleet_.events) Give(event);
    Outcome outcome;
    for (int i = 0; i < fleet_.things; ++i) {
      for (const model::Behavior& behavior : fleet_.versions[0]) outcome[{i, behavior.name.value()}];
    }
    for (const Decision& d : sink_.decisions) {
      std::string_view type = model::ViolationEventTypeName(d.event.type);
      if (d.event.type != model::ViolationEventType::kInAlarm) type.remove_prefix(6);   // "alarm-"
      outcome[{std::stoi(d.event.thing_name.value().substr(1)), d.event.behavior.name.value()}].push_back(
          std::string(type) + "@" + std::to_string((ToMillis(d.event.time) - kStart) / 1000));
    }
    return outcome;
  }

 private:
  void Give(const FleetEvent& event) {
    std::string name = ReferenceFleet::NameOf(event.thing);
    ThingRef thing{EntityOf(name), name};
    Timestamp time = FromMillis(event.ms);
    switch (event.kind) {
      case FleetEvent::kReport: {
        report::MetricReport report;
        report.network.bytes_out = event.bytes;
        report.connections.total = event.established;
        if (event.number) {
          report.custom.Begin(kNumber, model::CustomMetricType::kNumber);
          report.custom.AddNumber(*event.number);
        }
        return engine_.OnReport({thing, time, &report, event.late, false, false});
      }
      case FleetEvent::kCounts: {
        CountsEvent counts{thing, FromMillis(event.ms / kBucket * kBucket), time, event.connected, {}};
        counts.deltas = Deltas(event.all);
        engine_.OnCounts(counts);
        // Each side of a dimension is a record of its own behind that of all topics.
        counts.deltas = {};
        for (auto op : {model::DimensionOperator::kIn, model::DimensionOperator::kNotIn}) {
          DimensionDeltas part{kDimension, op, Deltas(op == model::DimensionOperator::kIn ? event.in : event.not_in)};
          counts.dimensions = std::span(&part, 1);
          if (part.deltas.messages_sent > 0) engine_.OnCounts(counts);
        }
        return;
      }
      case FleetEvent::kConnection: return engine_.OnConnection({thing, time, event.open});
      case FleetEvent::kMove: return ReferenceFleet::SetThing(engine_, event.thing, event.group, time);
      case FleetEvent::kProfile:
        return config_.SetProfile(engine_, event.version, fleet_.versions[event.version], time);
      case FleetEvent::kWatermark: {
        engine_.OnWatermark(time);
        Engine* engine = &engine_;
        Exchange(std::span(&engine, 1));
      }
    }
  }

  static CounterDeltas Deltas(const Traffic& traffic) {
    CounterDeltas deltas;
    deltas.messages_sent = static_cast<std::uint64_t>(traffic.sent);
    deltas.bytes_sent = static_cast<std::uint64_t>(traffic.size);
    return deltas;
  }

  const Fleet& fleet_;
  RecordingSink sink_;
  Engine engine_;
  ReferenceFleet config_{fleet_.groups};
};

// --- random fleets ---------------------------------------------------------------------------------------------------

/// What its name begins with.
std::string KindOf(const model::Behavior& behavior) {
  return behavior.dimension ? std::string(model::DimensionOperatorName(behavior.dimension->op)) + "-" : "b";
}

model::Behavior RandomBehavior(Dice& dice, std::size_t number) {
  model::Behavior behavior;
  behavior.metric = dice.Of({"aws:all-bytes-out", "aws:all-bytes-out", "aws:num-established-tcp-connections", kNumber,
                             "aws:num-messages-sent", "aws:message-byte-size", "aws:num-messages-sent",
                             "aws:message-byte-size"});
  const model::MetricInfo* info = model::FindBuiltinMetric(*behavior.metric);
  if (info != nullptr && info->dimension && dice.Pick(3) != 0) {
    auto op = dice.Of({model::DimensionOperator::kIn, model::DimensionOperator::kNotIn});
    behavior.dimension = model::MetricDimension{model::DimensionName(kDimension), op};
  }
  behavior.name = model::BehaviorName(KindOf(behavior) + std::to_string(number));
  auto& criteria = behavior.criteria.emplace();
  using enum ComparisonOperator;
  criteria.comparison_operator = dice.Of({kLessThan, kLessThanEquals, kLessThanEquals, kGreaterThan, kGreaterThanEquals});
  criteria.statistic = dice.Of({"p0", "p0.01", "p0.1", "p1", "p10", "p50", "p90", "p99", "p99.9", "p99.99", "p100"});
  criteria.duration_seconds = dice.Of({300, 300, 600, 900, 3600});
  if (dice.Pick(2) == 0) criteria.consecutive_datapoints_to_alarm = dice.Of({1, 2, 3});
  if (dice.Pick(2) == 0) criteria.consecutive_datapoints_to_clear = dice.Of({1, 2, 3});
  return behavior;
}

/// How one thing lives: its interval, its usual values, when it misbehaves.
struct Habit {
  std::int64_t interval_s, spread, first_s;
  bool by_time;
  std::int64_t attack_from_s, attack_to_s;
};

FleetEvent RandomReport(Dice& dice, const Habit& habit, std::int64_t second, std::int64_t elapsed) {
  FleetEvent event;
  event.kind = FleetEvent::kReport;
  bool attack = second >= habit.attack_from_s && second < habit.attack_to_s;
  std::int64_t value = (100 + dice.Pick(habit.spread)) * (attack ? dice.Of({0, 2, 3}) : 1);
  if (dice.Pick(20) != 0) event.bytes = habit.by_time ? value * elapsed / 300 : value;
  if (dice.Pick(6) != 0) event.established = value / 10;
  if (dice.Pick(6) != 0) event.number = static_cast<double>(value) / 8;
  if (dice.Pick(400) == 0) event.number = -1.5;
  event.late = dice.Pick(40) == 0;
  return event;
}

Traffic RandomTraffic(Dice& dice, std::int64_t spread, bool attack) {
  std::int64_t sent = dice.Pick(10) == 0 ? 0 : 10 + dice.Pick(spread) + (attack ? 30 : 0);
  return {sent, sent * dice.Of({7, 7, 8})};
}

Fleet RandomFleet(std::uint32_t seed) {
  Dice dice(seed);
  constexpr std::int64_t kSeconds = 4 * 3600, kBehaviors = 8;
  Fleet fleet;
  fleet.things = static_cast<int>(11 + dice.Pick(16));
  fleet.groups = fleet.things > 22 && dice.Pick(2) == 0;
  fleet.versions.emplace_back();
  for (std::size_t i = 0; i < kBehaviors; ++i) fleet.versions[0].push_back(RandomBehavior(dice, i));
  auto add = [&](FleetEvent event, std::int64_t second, int thing) {
    event.ms = kStart + second * 1000;
    event.thing = thing;
    fleet.events.push_back(std::move(event));
  };
  std::int64_t spread = dice.Of({1, 1, 3, 40});
  for (int i = 0; i < fleet.things; ++i) {
    std::int64_t from = dice.Pick(kSeconds);
    bool attacker = dice.Pick(8) == 0;
    Habit habit{dice.Of({60, 150, 290, 299, 300, 300, 301, 600, 900}), spread, 1 + dice.Pick(300), dice.Pick(2) == 0,
                from, attacker ? from + dice.Of({300, 1500, 6000}) : 0};
    for (std::int64_t second = habit.first_s, last = second - habit.interval_s; second < kSeconds; second += habit.interval_s) {
      if (dice.Pick(25) == 0) continue;   // missed
      add(RandomReport(dice, habit, second, second - last), second, i);
      last = second;
    }
    FleetEvent connection;
    connection.kind = FleetEvent::kConnection;
    for (std::int64_t second = dice.Pick(600); second < kSeconds; second += 1 + dice.Pick(2400)) {
      connection.open = connection.open > 0 ? 0 : 1;
      add(connection, second, i);
    }
    for (std::int64_t second = dice.Pick(300); second < kSeconds; second += dice.Of({100, 300, 300})) {
      FleetEvent counts;
      counts.kind = FleetEvent::kCounts;
      bool attack = second >= habit.attack_from_s && second < habit.attack_to_s;
      // An attack on one side of the dimension, on the other or on both.
      bool in = attack && dice.Pick(3) != 0, not_in = attack && (!in || dice.Pick(2) == 0);
      counts.in = RandomTraffic(dice, spread, in);
      counts.not_in = RandomTraffic(dice, spread, not_in);
      counts.all = {counts.in.sent + counts.not_in.sent, counts.in.size + counts.not_in.size};
      counts.connected = dice.Pick(2) == 0;
      add(counts, second, i);
    }
    if (!fleet.groups || dice.Pick(6) != 0) continue;
    FleetEvent move;
    move.kind = FleetEvent::kMove;
    move.group = 1 - i % 2;
    add(move, dice.Pick(kSeconds), i);
  }
  for (std::int64_t changes = dice.Pick(3); changes > 0; --changes) {
    FleetEvent change;
    change.kind = FleetEvent::kProfile;
    change.version = fleet.versions.size();
    fleet.versions.push_back(fleet.versions[0]);
    model::BehaviorCriteria& criteria = *fleet.versions.back()[static_cast<std::size_t>(dice.Pick(kBehaviors))].criteria;
    criteria.statistic = *criteria.statistic == "p99" ? "p90" : "p99";
    add(change, dice.Pick(kSeconds), 0);
  }
  for (std::int64_t second = 300; second <= kSeconds; second += 300) {
    FleetEvent watermark;
    watermark.kind = FleetEvent::kWatermark;
    add(watermark, second, 0);
  }
  // A watermark comes before what happens at its time.
  std::stable_sort(fleet.events.begin(), fleet.events.end(), [](const FleetEvent& a, const FleetEvent& b) {
    return a.ms != b.ms ? a.ms < b.ms : a.kind == FleetEvent::kWatermark && b.kind != FleetEvent::kWatermark;
  });
  return fleet;
}

// --- the comparison --------------------------------------------------------------------------------------------------

/// What differs, or nothing; and how many transitions there were, by KindOf the behavior.
std::string Differs(const Fleet& fleet, std::map<std::string, std::size_t>* transitions = nullptr) {
  Outcome expected = Expected(fleet), found = FleetEngine(fleet).Run();
  std::string text;
  for (const auto& [key, wanted] : expected) {
    const Transitions& got = found[key];
    if (transitions) (*transitions)[key.second.substr(0, key.second.size() - 1)] += got.size();
    if (got == wanted) continue;
    text += "t" + std::to_string(key.first) + " " + key.second + "\n  wanted:";
    for (const std::string& transition : wanted) text += " " + transition;
    text += "\n  got:   ";
    for (const std::string& transition : got) text += " " + transition;
    text += "\n";
  }
  return text;
}

/// Leaves out whatever is not needed for the two to differ: behaviors first, then events, in ever smaller pieces. Watermarks
/// stay, because without them nothing is as it is live.
void Shrink(Fleet& fleet) {
  for (std::size_t i = fleet.versions[0].size(); i-- > 0 && fleet.versions[0].size() > 1;) {
    Fleet less = fleet;
    for (auto& version : less.versions) version.erase(version.begin() + static_cast<std::ptrdiff_t>(i));
    if (!Differs(less).empty()) fleet = std::move(less);
  }
  for (std::size_t piece = fleet.events.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t begin = 0; begin < fleet.events.size();) {
      Fleet less = fleet;
      less.events.clear();
      for (std::size_t i = 0; i < fleet.events.size(); ++i) {
        bool inside = i >= begin && i < begin + piece;
        if (!inside || fleet.events[i].kind == FleetEvent::kWatermark) less.events.push_back(fleet.events[i]);
      }
      bool smaller = less.events.size() < fleet.events.size();
      if (smaller && !Differs(less).empty()) fleet = std::move(less);
      else begin += piece;
    }
  }
}

std::string Describe(const Fleet& fleet) {
  std::string text;
  for (std::size_t v = 0; v < fleet.versions.size(); ++v) {
    for (const model::Behavior& b : fleet.versions[v]) {
      text += "version " + std::to_string(v) + " " + b.name.value() + " " + *b.metric + " " +
              std::string(model::OperatorName(*b.criteria->comparison_operator)) + " " + *b.criteria->statistic + " " +
              std::to_string(*b.criteria->duration_seconds) + " s, " +
              std::to_string(b.criteria->consecutive_datapoints_to_alarm.value_or(1)) + " to alarm, " +
              std::to_string(b.criteria->consecutive_datapoints_to_clear.value_or(1)) + " to clear\n";
    }
  }
  for (const FleetEvent& event : fleet.events) {
    if (event.kind != FleetEvent::kWatermark) text += event.Text() + "\n";
  }
  return text;
}

TEST(StatisticalReference, AgreesOverRandomFleets) {
  std::map<std::string, std::size_t> transitions;
  for (std::uint32_t seed = 1; seed <= 500; ++seed) {
    Fleet fleet = RandomFleet(seed);
    if (Differs(fleet, &transitions).empty()) continue;
    Shrink(fleet);
    FAIL() << "seed " << seed << ", made smaller:\n" << Describe(fleet) << Differs(fleet);
  }
  EXPECT_GT(transitions["b"], 50'000u);
  EXPECT_GT(transitions["IN-"], 15'000u);
  EXPECT_GT(transitions["NOT_IN-"], 15'000u);
}

}  // namespace
}  // namespace fleetward::detect
