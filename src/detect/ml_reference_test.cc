// ML behaviors against a slow, obvious evaluator: it keeps one model of each thing and behavior in a list, looks at the
// whole history for the rest, and asks the model itself (ml_test.cc has that) for a verdict. What is compared is all that is
// around it: which values a series gets and when, with which peers, when nothing is learned, when alarms come and go, what
// users said of them. Random fleets, profiles, moves and restarts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "testing/reference_fleet.h"
#include "testing/support.h"

namespace fleetward::detect {
namespace {

using model::ViolationEventType;

constexpr std::int64_t kStart = 1'767'225'600'000;
constexpr std::int64_t kBucket = 300'000;
constexpr char kNumber[] = "num";
constexpr std::size_t kRemembered = 4;  // alarms of a behavior of a thing that a user may still call false ones

/// In the order in which one report, and one bucket's end, judges them.
enum Feed { kOut, kGuard, kEstablished, kCustom, kCustomAgain, kSent, kTopics, kFeeds };
constexpr const char* kNames[kFeeds] = {"out", "guard", "established", "custom", "again", "sent", "topics"};

struct Event {
  enum Kind { kReport, kCounts, kConnection, kMove, kProfile, kSaid, kRestart, kWatermark } kind{};
  std::int64_t ms = 0;
  int thing = 0;
  std::optional<std::int64_t> bytes, established;
  std::optional<double> number;
  bool late = false, connected = false;
  std::int64_t sent = 0, topics = 0;
  std::uint32_t open = 0;
  int group = 0;
  std::size_t version = 0;
  int behavior = 0;                                   // kSaid
  std::size_t earlier = 0;                            // kSaid: of the last alarm but so many
};

struct Fleet {
  int things = 0;
  bool groups = false;
  std::vector<std::vector<model::Behavior>> versions;
  std::vector<Event> events;
};

/// "in-alarm 3 custom@ms …" of one thing's behaviors.
using Lines = std::vector<std::string>;

std::string Line(const char* what, int thing, const std::string& behavior, std::int64_t ms, const std::string& reason) {
  return std::string(what) + " t" + std::to_string(thing) + " " + behavior + "@" +
         std::to_string((ms - kStart) / 1000) + " " + reason;
}

// --- the evaluator ---------------------------------------------------------------------------------------------------

class MlReference {
 public:
  explicit MlReference(const Fleet& fleet) : fleet_(fleet), things_(static_cast<std::size_t>(fleet.things)) {
    for (int i = 0; i < fleet.things; ++i) things_[static_cast<std::size_t>(i)].group = fleet.groups ? i % 2 : 0;
  }

  Lines Run() {
    for (const Event& event : fleet_.events) Take(event);
    return lines_;
  }

 private:
  struct One {
    ml::Series series;
    ml::Verdict last;
    std::optional<std::int64_t> seen_ms;
    std::vector<ml::Demand> raised;  // of each alarm
    double value = 0;
    std::vector<bool> sides;
    bool alarm = false;
  };
  struct Thing {
    int group = 0;
    One ones[kFeeds];
    std::vector<Event> reports, counts, connections;
    std::int64_t covered_ms = 0, sum = 0;
  };

  void Take(const Event& event) {
    if (event.kind == Event::kWatermark) return BucketEnd(event.ms);
    if (event.kind == Event::kProfile) return Change(event);
    Thing& thing = things_[static_cast<std::size_t>(event.thing)];
    switch (event.kind) {
      case Event::kMove: thing.group = event.group; break;
      case Event::kSaid: {
        One& one = thing.ones[event.behavior];
        if (event.earlier < std::min(one.raised.size(), kRemembered)) {
          ml::ConfirmFalsePositive(one.series, one.raised[one.raised.size() - 1 - event.earlier]);
        }
        break;
      }
      case Event::kReport:
        if (!event.late) Report(thing, event);
        break;
      case Event::kCounts: thing.counts.push_back(event); break;
      case Event::kConnection: thing.connections.push_back(event); break;
      default: break;
    }
  }

  const model::BehaviorCriteria& CriteriaOf(int feed) const {
    return *fleet_.versions[version_][static_cast<std::size_t>(feed)].criteria;
  }

  void Report(Thing& thing, const Event& event) {
    bool first = thing.reports.empty();
    std::int64_t elapsed = first ? 0 : event.ms - thing.reports.back().ms;
    std::int64_t before = Interval(thing);
    bool gap = !first && elapsed * 10 > (before > 0 ? before : 300'000) * 22;
    thing.reports.push_back(event);
    std::int64_t interval = Interval(thing);
    if (event.bytes) {
      if (first || gap) {
        thing.covered_ms = thing.sum = 0;
      } else {
        thing.covered_ms += elapsed;
        thing.sum += *event.bytes;
        if (thing.covered_ms * 10 >= kBucket * 9) {
          double sum = static_cast<double>(thing.sum);
          if (thing.covered_ms * 10 > kBucket * 11) {
            sum = std::floor(sum * static_cast<double>(kBucket) / static_cast<double>(thing.covered_ms) + 0.5);
          }
          thing.covered_ms = thing.sum = 0;
          Judge(thing, kOut, event.ms, sum, std::max(kBucket, interval));
        }
      }
    }
    std::int64_t step = interval == 0 ? kBucket : interval;
    if (event.established) {
      Point(thing, kGuard, event.ms, *event.established >= std::get<model::Count>(CriteriaOf(kGuard).value).value, "");
      Judge(thing, kEstablished, event.ms, static_cast<double>(*event.established), step);
    }
    if (event.number) {
      Judge(thing, kCustom, event.ms, *event.number, step);
      Judge(thing, kCustomAgain, event.ms, *event.number, step);
    }
  }

  /// From all reports so far: follows longer ones at once, shorter ones by half.
  static std::int64_t Interval(const Thing& thing) {
    std::int64_t interval = 0;
    for (std::size_t i = 1; i < thing.reports.size(); ++i) {
      std::int64_t elapsed = thing.reports[i].ms - thing.reports[i - 1].ms;
      interval = i == 1 ? elapsed : std::max(elapsed, interval / 2);
    }
    return interval;
  }

  void BucketEnd(std::int64_t end) {
    for (Thing& thing : things_) {
      if (thing.reports.empty() && thing.counts.empty() && thing.connections.empty() && !fleet_.groups) continue;
      std::int64_t sent = 0, topics = 0;
      bool seen = false, online = false;
      for (const Event& counts : thing.counts) {
        if (counts.ms < end - kBucket || counts.ms >= end) continue;
        sent += counts.sent;
        topics += counts.topics;
        seen |= counts.connected || counts.sent > 0;
      }
      for (const Event& connection : thing.connections) {
        if (connection.ms < end - kBucket) online = connection.open > 0;
        else seen = true;
      }
      if (!seen && !online) continue;
      Judge(thing, kSent, end, static_cast<double>(sent), kBucket);
      Judge(thing, kTopics, end, static_cast<double>(topics), kBucket);
    }
    for (int feed = 0; feed < kFeeds; ++feed) {
      ml::CohortWindow windows[2];
      for (const Thing& thing : things_) {
        const One& one = thing.ones[feed];
        if (!one.seen_ms || end - *one.seen_ms / 1000 * 1000 > kBucket || one.alarm) continue;
        windows[thing.group].Add(one.series);
      }
      for (int group = 0; group < 2; ++group) peers_[feed][group].Close(windows[group], end / 1000);
    }
  }

  void Judge(Thing& thing, int feed, std::int64_t ms, double value, std::int64_t step_ms) {
    bool any = std::any_of(std::begin(thing.ones), std::end(thing.ones), [](const One& one) { return one.alarm; });
    ml::Alarm alarm = thing.ones[kGuard].alarm ? ml::Alarm::kAccused : any ? ml::Alarm::kUnusual : ml::Alarm::kNone;
    One& one = thing.ones[feed];
    one.last = ml::Update(one.series, ms / 1000, value, step_ms / 1000, alarm, &peers_[feed][thing.group]);
    one.seen_ms = ms;
    if (one.last.reason == ml::Reason::kLearning) return;
    bool was = one.alarm;
    double limit = ml::Limit(*CriteriaOf(feed).ml_confidence);
    Point(thing, feed, ms, static_cast<double>(one.last.score) >= limit, ml::Explain(one.last, value));
    if (!was && one.alarm) one.raised.push_back(ml::DemandOf(one.series, one.last));
  }

  void Point(Thing& thing, int feed, std::int64_t ms, bool violating, const std::string& reason) {
    One& one = thing.ones[feed];
    one.sides.push_back(violating);
    auto trailing = [&](bool side) {
      int n = 0;
      for (auto at = one.sides.rbegin(); at != one.sides.rend() && *at == side; ++at) ++n;
      return n;
    };
    const char* what = nullptr;
    if (!one.alarm && trailing(true) >= CriteriaOf(feed).consecutive_datapoints_to_alarm.value_or(1)) what = "in-alarm";
    if (one.alarm && trailing(false) >= CriteriaOf(feed).consecutive_datapoints_to_clear.value_or(1)) what = "cleared";
    if (!what) return;
    one.alarm = !one.alarm;
    lines_.push_back(Line(what, static_cast<int>(&thing - things_.data()), kNames[feed], ms, reason));
  }

  /// Another confidence is another definition: its models start anew, its alarms end.
  void Change(const Event& event) {
    for (int feed = 0; feed < kFeeds; ++feed) {
      auto index = static_cast<std::size_t>(feed);
      if (*fleet_.versions[version_][index].criteria == *fleet_.versions[event.version][index].criteria) continue;
      for (Thing& thing : things_) {
        if (thing.ones[feed].alarm) {
          lines_.push_back(Line("invalidated", static_cast<int>(&thing - things_.data()), kNames[feed], event.ms, ""));
        }
        thing.ones[feed] = One();
      }
      peers_[feed][0] = peers_[feed][1] = ml::CohortState();
    }
    version_ = event.version;
  }

  const Fleet& fleet_;
  std::vector<Thing> things_;
  ml::CohortState peers_[kFeeds][2];
  std::size_t version_ = 0;
  Lines lines_;
};

// --- the engine ------------------------------------------------------------------------------------------------------

class MlEngine {
 public:
  explicit MlEngine(const Fleet& fleet) : fleet_(fleet), engine_(std::make_unique<Engine>(ReferenceOptions(), sink_)) {
    engine_->SetCustomMetric({model::CustomMetricName(kNumber), model::kFirstCustomMetric, model::CustomMetricType::kNumber},
                             FromMillis(kStart));
    config_.SetProfile(*engine_, 0, fleet.versions[0], FromMillis(kStart));
    for (int i = 0; i < fleet.things && fleet.groups; ++i) ReferenceFleet::SetThing(*engine_, i, i % 2, FromMillis(kStart));
    engine_->OnWatermark(FromMillis(kStart));
  }

  Lines Run() {
    for (const Event& event : fleet_.events) Give(event);
    Lines lines;
    for (const Decision& d : sink_.decisions) {
      const char* what = d.event.type == ViolationEventType::kInAlarm        ? "in-alarm"
                         : d.event.type == ViolationEventType::kAlarmCleared ? "cleared"
                                                                             : "invalidated";
      bool told = d.event.type != ViolationEventType::kAlarmInvalidated && d.inputs.expected;
      lines.push_back(Line(what, std::stoi(d.event.thing_name.value().substr(1)), d.event.behavior.name.value(),
                           ToMillis(d.event.time), told ? d.inputs.expected->reason : ""));
    }
    return lines;
  }

 private:
  void Give(const Event& event) {
    std::string name = ReferenceFleet::NameOf(event.thing);
    ThingRef thing{EntityOf(name), name};
    Timestamp time = FromMillis(event.ms);
    switch (event.kind) {
      case Event::kReport: {
        report::MetricReport report;
        report.network.bytes_out = event.bytes;
        report.connections.total = event.established;
        if (event.number) {
          report.custom.Begin(kNumber, model::CustomMetricType::kNumber);
          report.custom.AddNumber(*event.number);
        }
        return engine_->OnReport({thing, time, &report, event.late, false, false});
      }
      case Event::kCounts: {
        CountsEvent counts{thing, FromMillis(event.ms / kBucket * kBucket), time, event.connected, {}};
        counts.deltas.messages_sent = static_cast<std::uint64_t>(event.sent);
        DimensionDeltas topics{"d", model::DimensionOperator::kNotIn, {}};
        topics.deltas.messages_sent = static_cast<std::uint64_t>(event.topics);
        counts.dimensions = std::span(&topics, 1);
        return engine_->OnCounts(counts);
      }
      case Event::kConnection: return engine_->OnConnection({thing, time, event.open});
      case Event::kMove: return ReferenceFleet::SetThing(*engine_, event.thing, event.group, time);
      case Event::kProfile:
        return config_.SetProfile(*engine_, event.version, fleet_.versions[event.version], time);
      case Event::kSaid: {
        std::size_t earlier = event.earlier;
        for (auto d = sink_.decisions.rbegin(); d != sink_.decisions.rend(); ++d) {
          if (d->event.type != ViolationEventType::kInAlarm || d->event.thing_name.value() != name ||
              d->event.behavior.name.value() != kNames[event.behavior]) {
            continue;
          }
          if (earlier-- > 0) continue;
          engine_->OnVerification(thing.entity, d->event.violation_id, model::VerificationState::kFalsePositive);
          return;
        }
        return;
      }
      case Event::kRestart:
        engine_ = Restart(*engine_, ReferenceOptions(), sink_);
        ASSERT_TRUE(engine_);
        return;
      case Event::kWatermark: {
        engine_->OnWatermark(time);
        Engine* engine = engine_.get();
        Exchange(std::span(&engine, 1));
      }
    }
  }

  const Fleet& fleet_;
  RecordingSink sink_;
  std::unique_ptr<Engine> engine_;
  ReferenceFleet config_{fleet_.groups};
};

// --- random fleets ---------------------------------------------------------------------------------------------------

std::vector<model::Behavior> RandomBehaviors(Dice& dice) {
  constexpr const char* kMetrics[kFeeds] = {"aws:all-bytes-out", "aws:num-established-tcp-connections",
                                            "aws:num-established-tcp-connections", kNumber, kNumber,
                                            "aws:num-messages-sent", "aws:num-messages-sent"};
  std::vector<model::Behavior> behaviors;
  for (int feed = 0; feed < kFeeds; ++feed) {
    model::Behavior& behavior = behaviors.emplace_back();
    behavior.name = model::BehaviorName(kNames[feed]);
    behavior.metric = kMetrics[feed];
    auto& criteria = behavior.criteria.emplace();
    if (dice.Pick(2) == 0) criteria.consecutive_datapoints_to_alarm = dice.Of({1, 2, 3});
    if (dice.Pick(2) == 0) criteria.consecutive_datapoints_to_clear = dice.Of({1, 2, 3});
    if (feed == kGuard) {
      criteria.comparison_operator = model::ComparisonOperator::kLessThan;
      criteria.value = model::Count{500};
    } else {
      criteria.ml_confidence = dice.Of({model::ConfidenceLevel::kLow, model::ConfidenceLevel::kLow,
                                        model::ConfidenceLevel::kMedium, model::ConfidenceLevel::kHigh});
    }
    if (feed == kTopics) behavior.dimension = model::MetricDimension{model::DimensionName("d"), model::DimensionOperator::kNotIn};
  }
  return behaviors;
}

Fleet RandomFleet(std::uint32_t seed) {
  Dice dice(seed);
  constexpr std::int64_t kSeconds = 20 * 3600;
  Fleet fleet;
  fleet.things = static_cast<int>(2 + dice.Pick(7));
  fleet.groups = fleet.things > 3 && dice.Pick(2) == 0;
  fleet.versions.push_back(RandomBehaviors(dice));
  auto add = [&](Event event, Event::Kind kind, std::int64_t second, int thing) {
    event.kind = kind;
    event.ms = kStart + second * 1000;
    event.thing = thing;
    fleet.events.push_back(std::move(event));
  };
  for (int i = 0; i < fleet.things; ++i) {
    std::int64_t interval = dice.Of({150, 299, 300, 300, 301, 600});
    std::vector<std::pair<std::int64_t, std::int64_t>> attacks;
    for (std::int64_t n = dice.Pick(6); n > 0; --n) {
      std::int64_t from = kSeconds / 4 + dice.Pick(kSeconds * 3 / 4);
      attacks.emplace_back(from, from + dice.Of({300, 900, 3600, 30'000}));
    }
    auto value = [&](std::int64_t second) {
      std::int64_t usual = 200 + dice.Pick(11);
      for (auto [from, to] : attacks) {
        if (second >= from && second < to) return usual * dice.Of({2, 3, 400});
      }
      return usual;
    };
    for (std::int64_t second = 1 + dice.Pick(300); second < kSeconds; second += interval) {
      if (dice.Pick(60) == 0) second += dice.Of({300, 900, 3000});
      Event event;
      if (dice.Pick(20) != 0) event.bytes = value(second) * 100;
      if (dice.Pick(20) != 0) event.established = value(second);
      if (dice.Pick(20) != 0) event.number = static_cast<double>(value(second)) / 8 - 30;
      event.late = dice.Pick(50) == 0;
      add(event, Event::kReport, second, i);
    }
    for (std::int64_t second = dice.Pick(300); second < kSeconds; second += dice.Of({100, 300, 300, 300})) {
      if (dice.Pick(100) == 0) second += 2000;
      Event event;
      event.sent = dice.Pick(30) == 0 ? 0 : value(second);
      event.topics = event.sent / 3;
      event.connected = dice.Pick(2) == 0;
      add(event, Event::kCounts, second, i);
    }
    Event connection;
    for (std::int64_t second = dice.Pick(4000); second < kSeconds; second += 1 + dice.Pick(20'000)) {
      connection.open = connection.open > 0 ? 0 : 1;
      add(connection, Event::kConnection, second, i);
    }
    for (std::int64_t n = dice.Pick(40); n > 0; --n) {
      Event said;
      said.behavior = static_cast<int>(dice.Pick(kFeeds));
      if (said.behavior == kGuard) continue;
      said.earlier = dice.Of<std::size_t>({0, 0, 0, 1, 2, 3, 4});
      std::int64_t second = kSeconds / 4 + dice.Pick(kSeconds * 3 / 4);
      for (std::int64_t times = dice.Of({1, 2, 3}); times > 0; --times) add(said, Event::kSaid, second++, i);
    }
    if (!fleet.groups || dice.Pick(3) != 0) continue;
    Event move;
    move.group = 1 - i % 2;
    add(move, Event::kMove, dice.Pick(kSeconds), i);
  }
  for (std::int64_t changes = dice.Pick(3); changes > 0; --changes) {
    Event change;
    change.version = fleet.versions.size();
    auto behaviors = fleet.versions.back();
    // Not of the broker's counts: a bucket in which they begin is incomplete.
    model::BehaviorCriteria& criteria = *behaviors[static_cast<std::size_t>(dice.Of({kEstablished, kCustom, kCustomAgain}))].criteria;
    bool low = *criteria.ml_confidence == model::ConfidenceLevel::kLow;
    criteria.ml_confidence = low ? model::ConfidenceLevel::kMedium : model::ConfidenceLevel::kLow;
    fleet.versions.push_back(std::move(behaviors));
    add(change, Event::kProfile, kSeconds * changes / 3 - dice.Pick(3600), 0);
  }
  for (std::int64_t n = dice.Pick(4); n > 0; --n) add({}, Event::kRestart, dice.Pick(kSeconds), 0);
  for (std::int64_t second = 300; second <= kSeconds; second += 300) add({}, Event::kWatermark, second, 0);
  std::stable_sort(fleet.events.begin(), fleet.events.end(), [](const Event& a, const Event& b) {
    return a.ms != b.ms ? a.ms < b.ms : a.kind == Event::kWatermark && b.kind != Event::kWatermark;
  });
  // Versions in the order in which they come.
  std::size_t version = 0;
  for (Event& event : fleet.events) {
    if (event.kind == Event::kProfile) event.version = ++version;
  }
  return fleet;
}

TEST(MlReference, AgreesOverRandomFleets) {
  std::size_t raised = 0, by_feed[kFeeds] = {};
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    Fleet fleet = RandomFleet(seed);
    Lines expected = MlReference(fleet).Run(), found = MlEngine(fleet).Run();
    // Of one moment, things come in any order.
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) ASSERT_EQ(found[i], expected[i]) << "seed " << seed;
    ASSERT_EQ(found.size(), expected.size()) << "seed " << seed;
    for (const std::string& line : expected) {
      if (!line.starts_with("in-alarm")) continue;
      ++raised;
      for (int feed = 0; feed < kFeeds; ++feed) by_feed[feed] += line.find(std::string(" ") + kNames[feed] + "@") != std::string::npos;
    }
  }
  EXPECT_GT(raised, 2000u);
  for (int feed = 0; feed < kFeeds; ++feed) EXPECT_GT(by_feed[feed], 25u) << kNames[feed];
}

}  // namespace
}  // namespace fleetward::detect
