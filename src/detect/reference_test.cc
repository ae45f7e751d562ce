// The engine against a slow, obvious evaluator that keeps the whole history and works everything out anew each time,
// over random static behaviors (built-in metrics with and without a dimension, custom ones of each type), random events,
// changes of criteria and restarts in the middle.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "testing/support.h"

namespace fleetward::detect {
namespace {

using model::BuiltinMetric;
using model::ComparisonOperator;

constexpr std::int64_t kStart = 1'767'225'600'000;
constexpr std::int64_t kBucket = 300'000;
/// Custom metrics are named after their types.
constexpr model::CustomMetricType kCustomTypes[] = {model::CustomMetricType::kNumber, model::CustomMetricType::kNumberList,
                                                    model::CustomMetricType::kStringList, model::CustomMetricType::kIpAddressList};

/// What the broker counted, or the part of it that a dimension selects.
struct Part {
  CounterDeltas deltas;
  std::vector<model::IpAddress> ips;
};

struct Event {
  enum Kind { kReport, kCounts, kConnection, kChange, kRestart, kWatermark } kind{};
  std::int64_t ms = 0;
  report::MetricReport report;
  std::map<std::string, model::MetricValue> customs;
  Part all, in, not_in;
  std::size_t behavior = 0;                         // kChange: which, and to what
  model::BehaviorCriteria criteria;
  bool connected = false, late = false;
  std::uint32_t open = 0;
};

/// One behavior for one thing, judged from the list of all events so far.
class Reference {
 public:
  explicit Reference(model::Behavior behavior) : behavior_(std::move(behavior)), builtin_(model::FindBuiltinMetric(*behavior_.metric)) {}

  /// Another definition: its alarm ends, its counting begins anew. The windows go on.
  void Change(const model::BehaviorCriteria& criteria, std::int64_t ms) {
    behavior_.criteria = criteria;
    if (alarm_) transitions.push_back("invalidated@" + std::to_string(ms));
    alarm_ = false;
    history_.clear();
  }

  void After(const std::vector<Event>& events) {
    const Event& now = events.back();
    if (!builtin_) {
      if (now.kind == Event::kReport && !Late(events, events.size() - 1)) Custom(now);
      return;
    }
    bool cloud = info().side == model::MetricSide::kCloud;
    if (now.kind == Event::kReport && !cloud && !Late(events, events.size() - 1)) Report(events);
    if (now.kind == Event::kCounts && cloud) Early(events);
    if (now.kind == Event::kConnection && info().id == BuiltinMetric::kDisconnectDuration) Offline(events, now.ms);
    if (now.kind == Event::kWatermark && now.ms % kBucket == 0 && cloud) BucketEnd(events, now.ms);
  }

  std::vector<std::string> transitions;

 private:
  const model::BehaviorCriteria& criteria() const { return *behavior_.criteria; }

  const model::MetricInfo& info() const { return *builtin_; }
  /// What this behavior sees of an event's counts.
  const Part& PartOf(const Event& event) const {
    if (!behavior_.dimension) return event.all;
    return behavior_.dimension->op == model::DimensionOperator::kIn ? event.in : event.not_in;
  }

  bool Holds(double value) const {
    auto* count = std::get_if<model::Count>(&criteria().value);
    double limit = count ? static_cast<double>(count->value) : std::get<model::Number>(criteria().value).value;
    switch (*criteria().comparison_operator) {
      case ComparisonOperator::kLessThan: return value < limit;
      case ComparisonOperator::kLessThanEquals: return value <= limit;
      case ComparisonOperator::kGreaterThan: return value > limit;
      default: return value >= limit;
    }
  }
  bool Upper() const { return *criteria().comparison_operator <= ComparisonOperator::kLessThanEquals; }
  bool MayBeEarly() const { return criteria().consecutive_datapoints_to_alarm == 1 && !alarm_; }

  void Point(std::int64_t ms, bool violating, bool empty = false) {
    history_.push_back(violating);
    auto trailing = [&](bool side) {
      int n = 0;
      for (auto at = history_.rbegin(); at != history_.rend() && *at == side; ++at) ++n;
      return n;
    };
    if (!alarm_ && trailing(true) >= criteria().consecutive_datapoints_to_alarm) {
      alarm_ = true;
      transitions.push_back("in-alarm@" + std::to_string(ms));
    } else if (alarm_ && !violating && (empty || trailing(false) >= criteria().consecutive_datapoints_to_clear)) {
      alarm_ = false;
      transitions.push_back("cleared@" + std::to_string(ms));
    }
  }

  // --- reports

  static bool Late(const std::vector<Event>& events, std::size_t index) {
    if (events[index].late) return true;
    for (std::size_t i = 0; i < index; ++i) {
      if (events[i].kind == Event::kReport && !events[i].late && events[i].ms > events[index].ms) return true;
    }
    return false;
  }

  void Report(const std::vector<Event>& events) {
    const Event& now = events.back();
    if (info().delta) return Deltas(events);
    if (info().kind == model::ValueKind::kPorts) {
      const report::PortList& list = info().id == BuiltinMetric::kListeningTcpPorts ? now.report.tcp : now.report.udp;
      if (list.listed) List(now.ms, std::vector<std::uint16_t>(list.ports));
      return;
    }
    if (info().kind == model::ValueKind::kCidrs) {
      std::vector<model::IpAddress> addresses;
      for (const auto& remote : now.report.connections.remotes) addresses.push_back(remote.address);
      if (now.report.connections.listed) List(now.ms, addresses);
      return;
    }
    if (auto count = report::CountOf(now.report, info().id)) Point(now.ms, !Holds(static_cast<double>(*count)));
  }

  bool Contains(std::uint16_t port) const {
    const auto& set = std::get<model::Ports>(criteria().value);
    return std::find(set.begin(), set.end(), port) != set.end();
  }
  bool Contains(const model::IpAddress& address) const {
    const auto& set = std::get<model::Cidrs>(criteria().value);
    return std::any_of(set.begin(), set.end(), [&](const model::IpPrefix& p) { return p.Contains(address); });
  }
  bool Contains(double number) const {
    const auto& set = std::get<model::Numbers>(criteria().value);
    return std::find(set.begin(), set.end(), number) != set.end();
  }
  bool Contains(const std::string& text) const {
    const auto& set = std::get<model::Strings>(criteria().value);
    return std::find(set.begin(), set.end(), text) != set.end();
  }
  bool Contains(const model::IpPrefix& prefix) const { return Contains(prefix.address); }
  template <class T>
  bool Wrong(const std::vector<T>& list) const {
    auto op = *criteria().comparison_operator;
    bool inside = op == ComparisonOperator::kInCidrSet || op == ComparisonOperator::kInPortSet || op == ComparisonOperator::kInSet;
    return std::any_of(list.begin(), list.end(), [&](const T& e) { return Contains(e) != inside; });
  }
  template <class T>
  void List(std::int64_t ms, const std::vector<T>& list) { Point(ms, Wrong(list), list.empty()); }

  void Custom(const Event& now) {
    auto sent = now.customs.find(*behavior_.metric);
    if (sent == now.customs.end()) return;
    const model::MetricValue& value = sent->second;
    if (auto* number = std::get_if<model::Number>(&value)) return Point(now.ms, !Holds(number->value));
    if (auto* numbers = std::get_if<model::Numbers>(&value)) return List(now.ms, *numbers);
    if (auto* strings = std::get_if<model::Strings>(&value)) return List(now.ms, *strings);
    List(now.ms, std::get<model::Cidrs>(value));
  }

  /// Walks all reports from the first; the last window's end is the present datapoint, if it ends with this report.
  void Deltas(const std::vector<Event>& events) {
    std::int64_t needed = *criteria().duration_seconds * 1000;
    std::int64_t last = -1, interval = 0, covered = 0, sum = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].kind != Event::kReport || Late(events, i)) continue;
      bool present = i + 1 == events.size();
      std::int64_t elapsed = last < 0 ? 0 : events[i].ms - last;
      bool gap = last >= 0 && elapsed * 10 > (interval > 0 ? interval : 300'000) * 22;
      bool first = last < 0;
      if (!first) interval = interval == 0 ? elapsed : std::max(elapsed, interval / 2);
      last = events[i].ms;
      auto delta = report::CountOf(events[i].report, info().id);
      if (!delta) continue;
      if (first || gap) {
        covered = sum = 0;
        continue;
      }
      covered += elapsed;
      sum += *delta;
      if (covered * 10 >= needed * 9) {
        double value = static_cast<double>(sum);
        if (covered * 10 > needed * 11) {
          value = static_cast<double>(static_cast<std::int64_t>(value * static_cast<double>(needed) / static_cast<double>(covered) + 0.5));
        }
        if (present) Point(events[i].ms, !Holds(value));
        covered = sum = 0;
      } else if (present && MayBeEarly() && Upper() && !Holds(static_cast<double>(sum))) {
        Point(events[i].ms, true);
      }
    }
  }

  // --- counters of the broker

  std::int64_t Counter(const CounterDeltas& d) const {
    switch (info().id) {
      case BuiltinMetric::kNumMessagesSent: return static_cast<std::int64_t>(d.messages_sent);
      case BuiltinMetric::kNumMessagesReceived: return static_cast<std::int64_t>(d.messages_received);
      case BuiltinMetric::kNumAuthorizationFailures: return static_cast<std::int64_t>(d.authorization_failures);
      case BuiltinMetric::kNumConnectionAttempts: return static_cast<std::int64_t>(d.connection_attempts);
      default: return static_cast<std::int64_t>(d.disconnects);
    }
  }

  /// Counts of the buckets in [from, to).
  static std::vector<const Event*> In(const std::vector<Event>& events, std::int64_t from, std::int64_t to) {
    std::vector<const Event*> in;
    for (const Event& event : events) {
      if (event.kind == Event::kCounts && !event.late && event.ms >= from && event.ms < to) in.push_back(&event);
    }
    return in;
  }

  static bool Seen(const std::vector<Event>& events, std::int64_t from, std::int64_t to) {
    bool connected = false;
    for (const Event& event : events) {
      if (event.kind == Event::kConnection && event.ms < from) connected = event.open > 0;
      if (event.kind == Event::kConnection && event.ms >= from && event.ms < to) return true;
    }
    for (const Event* event : In(events, from, to)) {
      const CounterDeltas& d = event->all.deltas;
      if (event->connected || d.messages_sent + d.messages_received + d.authorization_failures + d.connection_attempts + d.disconnects > 0) return true;
    }
    return connected;
  }

  std::int64_t Window() const { return info().needs_duration ? *criteria().duration_seconds * 1000 : kBucket; }

  /// The value of the window [from, to): a sum, or the worst size; nothing without messages.
  std::optional<std::int64_t> Value(const std::vector<Event>& events, std::int64_t from, std::int64_t to) const {
    std::int64_t sum = 0;
    std::optional<std::int64_t> worst;
    for (const Event* event : In(events, from, to)) {
      const CounterDeltas& d = PartOf(*event).deltas;
      sum += Counter(d);
      if (d.messages_sent == 0) continue;
      auto size = static_cast<std::int64_t>(Upper() ? d.max_message_bytes : d.min_message_bytes);
      worst = !worst ? size : Upper() ? std::max(*worst, size) : std::min(*worst, size);
    }
    return info().id == BuiltinMetric::kMessageByteSize ? worst : sum;
  }

  void Early(const std::vector<Event>& events) {
    const Event& now = events.back();
    if (now.late || !MayBeEarly() || info().id == BuiltinMetric::kDisconnectDuration) return;
    if (info().id == BuiltinMetric::kSourceIpAddress) {
      if (Wrong(PartOf(now).ips)) Point(now.ms, true);
      return;
    }
    bool size = info().id == BuiltinMetric::kMessageByteSize;
    std::int64_t end = now.ms / kBucket * kBucket + kBucket;
    auto value = Value(events, end - Window(), end);
    const CounterDeltas& d = PartOf(now).deltas;
    bool counted = size ? d.messages_sent > 0 : Counter(d) > 0;
    if (counted && (Upper() || size) && value && !Holds(static_cast<double>(*value))) Point(now.ms, true);
  }

  void BucketEnd(const std::vector<Event>& events, std::int64_t end) {
    if (std::none_of(events.begin(), events.end(), [](const Event& e) { return e.kind != Event::kWatermark; })) return;
    if (info().id == BuiltinMetric::kDisconnectDuration) return Offline(events, end);
    if (info().id == BuiltinMetric::kSourceIpAddress) {
      std::vector<model::IpAddress> all;
      for (const Event* event : In(events, end - kBucket, end)) all.insert(all.end(), PartOf(*event).ips.begin(), PartOf(*event).ips.end());
      if (!all.empty()) List(end, all);
      return;
    }
    if (!Seen(events, end - Window(), end)) return;
    auto value = Value(events, end - Window(), end);
    Point(end, value && !Holds(static_cast<double>(*value)));
  }

  void Offline(const std::vector<Event>& events, std::int64_t ms) {
    bool known = false, online = false;
    std::int64_t since = 0;
    for (const Event& event : events) {
      if (event.kind != Event::kConnection) continue;
      if (event.open == 0 && (online || !known)) since = event.ms;
      online = event.open > 0;
      known = true;
    }
    if (known) Point(ms, !Holds(online ? 0 : static_cast<double>(ms - since) / 60'000.0));
  }

  model::Behavior behavior_;
  const model::MetricInfo* builtin_;                // null: a custom metric
  std::vector<bool> history_;
  bool alarm_ = false;
};

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  std::uint32_t Pick(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  template <class T>
  T Of(std::initializer_list<T> list) { return *(list.begin() + Pick(static_cast<std::uint32_t>(list.size()))); }

 private:
  std::mt19937 random_;
};

void RandomCustom(Dice& dice, model::Behavior& behavior) {
  using enum ComparisonOperator;
  auto type = kCustomTypes[dice.Pick(4)];
  behavior.metric = std::string(model::CustomMetricTypeName(type));
  model::BehaviorCriteria& criteria = *behavior.criteria;
  criteria.comparison_operator = dice.Of({kInSet, kNotInSet});
  switch (type) {
    case model::CustomMetricType::kNumber:
      criteria.comparison_operator = dice.Of({kLessThan, kLessThanEquals, kGreaterThan, kGreaterThanEquals});
      if (dice.Pick(3) == 0) criteria.value = model::Count{dice.Pick(4)};
      else criteria.value = model::Number{static_cast<double>(dice.Pick(9)) / 2 - 2};
      break;
    case model::CustomMetricType::kNumberList: criteria.value = model::Numbers{-1.5, static_cast<double>(dice.Pick(3)), 2}; break;
    case model::CustomMetricType::kStringList: criteria.value = model::Strings{"s" + std::to_string(dice.Pick(3)), ""}; break;
    case model::CustomMetricType::kIpAddressList:
      criteria.comparison_operator = dice.Of({kInCidrSet, kNotInCidrSet});
      criteria.value = model::Cidrs{*model::IpPrefix::Parse("10.0.0.0/" + std::to_string(29 + dice.Pick(4))),
                                    *model::IpPrefix::Parse("2001:db8::/64")};
  }
}

model::Behavior RandomBehavior(Dice& dice, int number) {
  const model::MetricInfo& info = model::BuiltinMetrics()[dice.Pick(model::kBuiltinMetricCount - 1)];
  model::Behavior behavior;
  behavior.name = model::BehaviorName("b" + std::to_string(number));
  behavior.metric = std::string(info.name);
  if (info.dimension && dice.Pick(2) == 0) {
    auto op = dice.Of({model::DimensionOperator::kIn, model::DimensionOperator::kNotIn});
    behavior.dimension = model::MetricDimension{model::DimensionName("d"), op};
  }
  auto& criteria = behavior.criteria.emplace();
  criteria.duration_seconds = dice.Of({300, 600, 900, 1800, 3600});
  criteria.consecutive_datapoints_to_alarm = dice.Of({1, 1, 2, 3});
  criteria.consecutive_datapoints_to_clear = dice.Of({1, 1, 2, 3});
  if (dice.Pick(4) == 0) {
    behavior.dimension.reset();
    RandomCustom(dice, behavior);
    return behavior;
  }
  using enum ComparisonOperator;
  if (info.kind == model::ValueKind::kPorts) {
    criteria.comparison_operator = dice.Of({kInPortSet, kNotInPortSet});
    criteria.value = model::Ports{1, static_cast<std::uint16_t>(dice.Pick(4)), 3};
  } else if (info.kind == model::ValueKind::kCidrs) {
    criteria.comparison_operator = dice.Of({kInCidrSet, kNotInCidrSet});
    criteria.value = model::Cidrs{*model::IpPrefix::Parse("10.0.0.0/" + std::to_string(29 + dice.Pick(4))),
                                  *model::IpPrefix::Parse("10.0.0.2")};
  } else {
    criteria.comparison_operator = dice.Of({kLessThan, kLessThanEquals, kGreaterThan, kGreaterThanEquals});
    if (info.id == BuiltinMetric::kDisconnectDuration) criteria.comparison_operator = dice.Of({kLessThan, kLessThanEquals});
    int scale = info.delta ? 300 : 12;
    criteria.value = model::Count{dice.Pick(static_cast<std::uint32_t>(scale)) * (dice.Pick(3) == 0 ? 4 : 1)};
  }
  return behavior;
}

void AddCustoms(Dice& dice, Event& event) {
  for (auto type : kCustomTypes) {
    if (dice.Pick(3) == 0) continue;
    std::string name(model::CustomMetricTypeName(type));
    event.report.custom.Begin(name, type);
    model::MetricValue& value = event.customs[name];
    std::uint32_t elements = dice.Pick(3);
    switch (type) {
      case model::CustomMetricType::kNumber: {
        double number = static_cast<double>(dice.Pick(9)) / 2 - 2;
        event.report.custom.AddNumber(number);
        value = model::Number{number};
        break;
      }
      case model::CustomMetricType::kNumberList: {
        model::Numbers numbers;
        for (; elements > 0; --elements) numbers.push_back(dice.Of({-1.5, 0.0, 1.0, 2.0}));
        for (double number : numbers) event.report.custom.AddNumber(number);
        value = numbers;
        break;
      }
      case model::CustomMetricType::kStringList: {
        model::Strings strings;
        for (; elements > 0; --elements) strings.push_back(dice.Pick(4) == 0 ? "" : "s" + std::to_string(dice.Pick(3)));
        for (const std::string& text : strings) event.report.custom.AddString(text);
        value = strings;
        break;
      }
      case model::CustomMetricType::kIpAddressList: {
        model::Cidrs cidrs;
        for (; elements > 0; --elements) {
          bool v6 = dice.Pick(4) == 0;
          cidrs.push_back(*model::IpPrefix::Parse((v6 ? "2001:db8::" : "10.0.0.") + std::to_string(dice.Pick(10))));
        }
        for (const model::IpPrefix& prefix : cidrs) event.report.custom.AddAddress(prefix);
        value = cidrs;
      }
    }
  }
}

Event RandomEvent(Dice& dice, std::int64_t ms) {
  Event event;
  event.ms = ms;
  std::uint32_t kind = dice.Pick(10);
  if (kind < 5) {
    event.kind = Event::kReport;
    event.late = dice.Pick(12) == 0;
    if (dice.Pick(12) == 0) event.ms -= 400'000;
    if (dice.Pick(5) > 0) event.report.network = {dice.Pick(300), dice.Pick(300), dice.Pick(300), dice.Pick(300)};
    for (report::PortList* list : {&event.report.tcp, &event.report.udp}) {
      list->listed = dice.Pick(4) > 0;
      for (std::uint32_t n = dice.Pick(3); n > 0 && list->listed; --n) list->Add(static_cast<std::uint16_t>(dice.Pick(4)));
      list->Finish();
      if (dice.Pick(2) == 0) list->total = dice.Pick(12);
    }
    event.report.connections.listed = dice.Pick(3) > 0;
    for (std::uint32_t n = dice.Pick(3); n > 0 && event.report.connections.listed; --n) {
      event.report.connections.remotes.push_back({*model::IpAddress::Parse("10.0.0." + std::to_string(dice.Pick(10))), 1});
    }
    AddCustoms(dice, event);
  } else if (kind < 8) {
    event.kind = Event::kCounts;
    event.connected = dice.Pick(2) == 0;
    event.late = dice.Pick(12) == 0;
    if (event.late) event.ms -= 2 * kBucket;
    for (Part* part : {&event.in, &event.not_in}) {
      part->deltas = {dice.Pick(4), 0, 6 + dice.Pick(8), dice.Pick(6), dice.Pick(3), dice.Pick(2), 0, 0};
      if (dice.Pick(4) == 0) part->ips.push_back(*model::IpAddress::Parse("10.0.0." + std::to_string(dice.Pick(10))));
    }
    // The two parts, and what no topic is known of.
    const CounterDeltas &a = event.in.deltas, &b = event.not_in.deltas;
    event.all.deltas = {a.messages_sent + b.messages_sent, 0, std::max(a.max_message_bytes, b.max_message_bytes),
                        std::min(a.min_message_bytes, b.min_message_bytes), a.messages_received + b.messages_received,
                        a.authorization_failures + b.authorization_failures + dice.Pick(2), dice.Pick(3), dice.Pick(2)};
    event.all.ips = event.in.ips;
    event.all.ips.insert(event.all.ips.end(), event.not_in.ips.begin(), event.not_in.ips.end());
    if (dice.Pick(4) == 0) event.all.ips.push_back(*model::IpAddress::Parse("10.0.0." + std::to_string(dice.Pick(10))));
  } else {
    event.kind = Event::kConnection;
    event.open = dice.Pick(3);
  }
  return event;
}

void Give(Engine& engine, const Event& event) {
  ThingRef thing{EntityOf("dev"), "dev"};
  Timestamp time = FromMillis(event.ms);
  switch (event.kind) {
    case Event::kReport: return engine.OnReport({thing, time, &event.report, event.late, false, false});
    case Event::kCounts: {
      CountsEvent counts{thing, FromMillis(event.ms / kBucket * kBucket), time, event.connected, event.all.deltas};
      counts.deltas.source_ips = event.all.ips;
      DimensionDeltas parts[] = {{"d", model::DimensionOperator::kIn, event.in.deltas},
                                 {"d", model::DimensionOperator::kNotIn, event.not_in.deltas}};
      parts[0].deltas.source_ips = event.in.ips;
      parts[1].deltas.source_ips = event.not_in.ips;
      counts.dimensions = parts;
      return engine.OnCounts(counts);
    }
    case Event::kConnection: return engine.OnConnection({thing, time, event.open});
    case Event::kWatermark: return engine.OnWatermark(time);
    case Event::kChange:
    case Event::kRestart: return;                   // by Compare
  }
}

/// Other criteria for one behavior, over the same windows.
Event RandomChange(Dice& dice, const model::SecurityProfile& profile, std::int64_t ms) {
  Event event;
  event.kind = Event::kChange;
  event.ms = ms;
  event.behavior = dice.Pick(static_cast<std::uint32_t>(profile.behaviors.size()));
  event.criteria = *profile.behaviors[event.behavior].criteria;
  event.criteria.consecutive_datapoints_to_alarm = event.criteria.consecutive_datapoints_to_alarm == 2 ? 1 : 2;
  if (auto* count = std::get_if<model::Count>(&event.criteria.value)) count->value += dice.Pick(3);
  return event;
}

/// Returns the number of transitions.
std::size_t Compare(std::uint32_t seed) {
  Dice dice(seed);
  Options options;
  options.account = model::AccountId("1");
  options.sha256 = MixDigest;
  options.slab_count = 2;
  RecordingSink sink;
  auto engine = std::make_unique<Engine>(options, sink);
  for (auto type : kCustomTypes) {
    auto number = static_cast<model::MetricId>(model::kFirstCustomMetric + static_cast<int>(type));
    engine->SetCustomMetric({model::CustomMetricName(model::CustomMetricTypeName(type)), number, type}, FromMillis(kStart));
  }
  ProfileConfig profile;
  profile.profile.name = model::SecurityProfileName("P");
  std::vector<Reference> references;
  for (int i = 0; i < 12; ++i) {
    profile.profile.behaviors.push_back(RandomBehavior(dice, i));
    references.emplace_back(profile.profile.behaviors.back());
  }
  profile.targets = {{model::ProfileTarget::Kind::kAllThings, {}}};
  profile.definition_versions.assign(profile.profile.behaviors.size(), 1);
  engine->SetProfile(profile, FromMillis(kStart));

  std::vector<Event> events;
  std::int64_t next_bucket = kStart + kBucket;
  auto give = [&](Event event) {
    if (event.kind == Event::kRestart) {
      engine = Restart(*engine, options, sink);
      return;
    }
    if (event.kind == Event::kChange) {
      model::SecurityProfile before = profile.profile;
      ++profile.profile.version;
      profile.profile.behaviors[event.behavior].criteria = event.criteria;
      profile.definition_versions = NextDefinitionVersions(before, profile.definition_versions, profile.profile);
      engine->SetProfile(profile, FromMillis(event.ms));
      references[event.behavior].Change(event.criteria, event.ms);
      return;
    }
    events.push_back(std::move(event));
    Give(*engine, events.back());
    for (Reference& reference : references) reference.After(events);
  };
  engine->OnWatermark(FromMillis(kStart));
  std::int64_t ms = kStart + 1000;
  for (int i = 0; i < 150; ++i) {
    ms += 1000 * dice.Of({1, 20, 60, 150, 290, 301, 900});
    for (; next_bucket <= ms; next_bucket += kBucket) {
      Event watermark;
      watermark.kind = Event::kWatermark;
      watermark.ms = next_bucket;
      give(std::move(watermark));
    }
    give(RandomEvent(dice, ms));
    if (dice.Pick(40) == 0) give(RandomChange(dice, profile.profile, ms));
    if (dice.Pick(60) == 0) {
      Event restart;
      restart.kind = Event::kRestart;
      give(std::move(restart));
      if (!engine) ADD_FAILURE() << "seed " << seed << " does not restart";
      if (!engine) return 0;
    }
  }
  std::size_t transitions = 0;
  for (std::size_t b = 0; b < references.size(); ++b) {
    std::vector<std::string> got;
    for (const Decision& d : sink.decisions) {
      if (d.event.behavior.name.value() != "b" + std::to_string(b)) continue;
      const char* what = d.event.type == model::ViolationEventType::kInAlarm        ? "in-alarm@"
                         : d.event.type == model::ViolationEventType::kAlarmCleared ? "cleared@"
                                                                                    : "invalidated@";
      got.push_back(what + std::to_string(ToMillis(d.event.time)));
    }
    transitions += got.size();
    EXPECT_EQ(got, references[b].transitions) << "seed " << seed << " behavior " << b << " "
                                              << *profile.profile.behaviors[b].metric;
  }
  return transitions;
}

TEST(Reference, AgreesOverRandomBehaviorsAndEvents) {
  std::size_t transitions = 0;
  for (std::uint32_t seed = 1; seed <= 300 && !testing::Test::HasFailure(); ++seed) transitions += Compare(seed);
  EXPECT_GT(transitions, 20'000u);
}

}  // namespace
}  // namespace fleetward::detect
