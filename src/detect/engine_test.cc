// What scenarios cannot say: ids, what decisions carry, checkpoints, determinism under sharding.
#include "fleetward/detect/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <span>

#include "fleetward/detect/admission.h"
#include "fleetward/detect/config_codec.h"
#include "fleetward/model/json.h"
#include "statistical/threshold.h"
#include "testing/support.h"

namespace fleetward::detect {
namespace {

constexpr std::int64_t kStart = 1'767'225'600'000;
Timestamp At(std::int64_t seconds) { return FromMillis(kStart + seconds * 1000); }

Options TestOptions() {
  Options options;
  options.account = model::AccountId("123456789012");
  options.sha256 = MixDigest;
  options.slab_count = 16;
  return options;
}

ProfileConfig Profile(const char* name, const std::string& behaviors,
                      model::ProfileTarget target = {model::ProfileTarget::Kind::kAllThings, {}}) {
  ProfileConfig config;
  config.profile = *model::ParseSecurityProfile("{\"securityProfileName\":\"" + std::string(name) +
                                                "\",\"behaviors\":[" + behaviors + "]}");
  config.definition_versions.assign(config.profile.behaviors.size(), 1);
  config.targets = {target};
  return config;
}

constexpr char kPorts[] =
    R"({"name":"ports","metric":"aws:listening-tcp-ports","suppressAlerts":true,)"
    R"("criteria":{"comparisonOperator":"in-port-set","value":{"ports":[22]}}})";

constexpr char kMixed[] = R"(
{"name":"out","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":700}}},
{"name":"out15","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than","durationSeconds":900,"value":{"count":1900},"consecutiveDatapointsToAlarm":2}},
{"name":"ports","metric":"aws:listening-tcp-ports","criteria":{"comparisonOperator":"in-port-set","value":{"ports":[1,2,3]},"consecutiveDatapointsToClear":2}},
{"name":"sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than","durationSeconds":600,"value":{"count":30}}},
{"name":"recv","metric":"aws:num-messages-received","criteria":{"comparisonOperator":"greater-than","durationSeconds":300,"value":{"count":2}}},
{"name":"size","metric":"aws:message-byte-size","criteria":{"comparisonOperator":"less-than","value":{"count":90}}},
{"name":"src","metric":"aws:source-ip-address","criteria":{"comparisonOperator":"not-in-cidr-set","value":{"cidrs":["10.0.0.3"]}}},
{"name":"off","metric":"aws:disconnect-duration","criteria":{"comparisonOperator":"less-than","value":{"count":6}}},
{"name":"p90","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p90"}}},
{"name":"p10","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"greater-than","durationSeconds":600,"statisticalThreshold":{"statistic":"p10"},"consecutiveDatapointsToAlarm":2}},
{"name":"most","metric":"aws:num-messages-received","criteria":{"comparisonOperator":"greater-than","durationSeconds":300,"statisticalThreshold":{"statistic":"p99"}}},
{"name":"ml","metric":"aws:num-messages-sent","criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}})";

void ReportPorts(Engine& engine, const char* thing, std::int64_t second, std::vector<std::uint16_t> ports) {
  report::MetricReport report;
  report.tcp.listed = true;
  for (std::uint16_t port : ports) report.tcp.Add(port);
  report.tcp.Finish();
  engine.OnReport({{EntityOf(thing), thing}, At(second), &report});
}

TEST(Engine, DecisionCarriesWhatAnAlertNeeds) {
  RecordingSink sink;
  Engine engine(TestOptions(), sink);
  ProfileConfig profile = Profile("P", kPorts);
  profile.profile.alert_targets["SNS"] = {"arn:topic", "arn:role"};
  engine.SetProfile(profile, At(0));
  ReportPorts(engine, "pump", 1, {22, 4444});
  ReportPorts(engine, "pump", 301, {4444, 4445});
  ReportPorts(engine, "pump", 601, {22});
  ASSERT_EQ(sink.decisions.size(), 2u);
  const Decision& raised = sink.decisions[0];
  EXPECT_EQ(raised.event.behavior.suppress_alerts, true);
  EXPECT_EQ(raised.event.metric_value, model::MetricValue(model::Ports({22, 4444})));
  EXPECT_EQ(raised.inputs.elements, 2u);
  EXPECT_EQ(raised.inputs.offending, 1u);
  EXPECT_EQ(raised.inputs.example, "4444");
  EXPECT_FALSE(raised.registered);
  EXPECT_EQ(raised.event.reason,
            "1 of 2 elements of aws:listening-tcp-ports is not in the allowed set, for example 4444");
  EXPECT_EQ(sink.decisions[1].event.violation_id, raised.event.violation_id);
  ASSERT_EQ(sink.lines.size(), 3u);
  EXPECT_EQ(sink.lines[1],
            "update P/ports 2026-01-01T00:05:01.000Z " + raised.event.violation_id.Hex() + " {\"ports\":[4444,4445]}");
}

TEST(Engine, ReasonsSayTheFigures) {
  RecordingSink sink;
  Engine engine(TestOptions(), sink);
  engine.SetCustomMetric({model::CustomMetricName("ips"), 64, model::CustomMetricType::kIpAddressList}, At(0));
  engine.SetProfile(
      Profile("P", R"({"name":"out","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",)"
                   R"("durationSeconds":300,"value":{"count":1000},"consecutiveDatapointsToAlarm":2}},)"
                   R"({"name":"ips","metric":"ips","criteria":{"comparisonOperator":"not-in-cidr-set",)"
                   R"("value":{"cidrs":["2001:db8::/32"]}}})"),
      At(0));
  auto report = [&](std::int64_t second, std::int64_t bytes, const char* address) {
    report::MetricReport report;
    report.network.bytes_out = bytes;
    report.custom.Begin("ips", model::CustomMetricType::kIpAddressList);
    report.custom.AddAddress(*model::IpPrefix::Parse("192.0.2.1"));
    report.custom.AddAddress(*model::IpPrefix::Parse(address));
    engine.OnReport({{EntityOf("pump"), "pump"}, At(second), &report});
  };
  report(0, 1, "192.0.2.2");
  report(300, 1000, "192.0.2.2");
  EXPECT_EQ(engine.Explain(EntityOf("pump"))[0].why, "aws:all-bytes-out was 1000, normal is less-than 1000");
  EXPECT_EQ(engine.Explain(EntityOf("pump"))[0].violating, 1);
  EXPECT_EQ(engine.Explain(EntityOf("pump"))[1].why, "none of 2 elements of ips is in the forbidden set");
  report(900, 6000, "2001:db8::5");
  ASSERT_EQ(sink.decisions.size(), 2u);
  EXPECT_EQ(sink.decisions[0].event.reason,
            "aws:all-bytes-out was 3000 in 300 s (scaled from 600 s), normal is less-than 1000; violating datapoint 2 of 2");
  EXPECT_EQ(sink.decisions[0].event.time, At(900));
  EXPECT_EQ(sink.decisions[0].inputs.window_start, At(300));
  EXPECT_EQ(sink.decisions[1].event.reason, "1 of 2 elements of ips is in the forbidden set, for example 2001:db8::5");
}

TEST(Engine, ViolationIdFollowsFromItsInputs) {
  auto id = [](const char* account, const char* thing, std::int64_t version, std::int64_t second) {
    RecordingSink sink;
    Options options = TestOptions();
    options.account = model::AccountId(account);
    Engine engine(options, sink);
    ProfileConfig profile = Profile("P", kPorts);
    profile.definition_versions = {version};
    engine.SetProfile(profile, At(0));
    ReportPorts(engine, thing, second, {1});
    return sink.decisions.at(0).event.violation_id;
  };
  auto base = id("1", "a", 1, 10);
  EXPECT_EQ(base, id("1", "a", 1, 10));
  EXPECT_NE(base, id("2", "a", 1, 10));
  EXPECT_NE(base, id("1", "b", 1, 10));
  EXPECT_NE(base, id("1", "a", 2, 10));
  EXPECT_NE(base, id("1", "a", 1, 11));
}

TEST(Engine, RefusesStateOfAnotherConfiguration) {
  RecordingSink sink;
  Options options = TestOptions();
  Engine engine(options, sink);
  engine.SetProfile(Profile("P", kPorts), At(0));
  ReportPorts(engine, "pump", 1, {22});
  std::uint32_t slab = engine.SlabOf(EntityOf("pump"));
  std::string bytes;
  engine.SaveSlab(slab, bytes);

  Engine other(options, sink);
  EXPECT_EQ(other.LoadSlab(slab, bytes).error().code(), Code::kCorrupt);
  EXPECT_FALSE(other.Knows(EntityOf("pump")));
  EXPECT_TRUE(other.LoadConfig(engine.SaveConfig()).ok());
  EXPECT_FALSE(other.LoadSlab((slab + 1) % 16, bytes).ok());
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(other.LoadSlab(slab, std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(other.LoadSlab(slab, bytes).ok());
  EXPECT_TRUE(other.Knows(EntityOf("pump")));
  std::string config = engine.SaveConfig();
  for (std::size_t size = 0; size < config.size(); ++size) {
    EXPECT_FALSE(other.LoadConfig(std::string_view(config).substr(0, size)).ok()) << size;
  }
}

TEST(Engine, AModelOfAnotherVersionStartsAnewOrIsRefused) {
  RecordingSink sink;
  Options options = TestOptions();
  Engine engine(options, sink);
  engine.SetProfile(Profile("P", R"({"name":"n","metric":"aws:listening-tcp-ports",)"
                                 R"("criteria":{"comparisonOperator":"in-port-set","value":{"ports":[1]}}},)"
                                 R"({"name":"open","metric":"aws:num-listening-tcp-ports",)"
                                 R"("criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}})"),
                    At(0));
  ReportPorts(engine, "pump", 1, {22});
  std::uint32_t slab = engine.SlabOf(EntityOf("pump"));
  std::string bytes;
  engine.SaveSlab(slab, bytes);
  // The series begins where its version stands: the first bytes that are the version, and a count of one value.
  const std::string begin{static_cast<char>(ml::kSeriesVersion), 0, 0, 1, 1, 0, 0, 0};
  std::size_t at = bytes.find(begin);
  ASSERT_NE(at, std::string::npos);

  auto load = [&](std::size_t offset, char value) {
    std::string changed = bytes;
    changed[at + offset] = value;
    Engine other(options, sink);
    EXPECT_TRUE(other.LoadConfig(engine.SaveConfig()).ok());
    Status status = other.LoadSlab(slab, changed);
    std::string again;
    if (status.ok()) other.SaveSlab(slab, again);
    return std::pair(status.ok(), again);
  };
  EXPECT_EQ(load(0, static_cast<char>(ml::kSeriesVersion)), std::pair(true, bytes));
  EXPECT_FALSE(load(0, static_cast<char>(ml::kSeriesVersion + 1)).first) << "a later release wrote it";
  EXPECT_FALSE(load(21, 127).first) << "beyond the end of the history";
  auto [ok, anew] = load(0, 1);
  EXPECT_TRUE(ok);
  ASSERT_EQ(anew.size(), bytes.size());
  EXPECT_EQ(anew.substr(at, ml::kSeriesBytes), std::string(ml::kSeriesBytes, '\0'));
  EXPECT_EQ(anew.substr(0, at), bytes.substr(0, at));
}

TEST(ConfigCodec, RoundTripsAndRefusesCuts) {
  ProfileConfig profile = Profile("P", kPorts, {model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")});
  std::string bytes;
  EncodeConfig(profile, bytes);
  auto decoded = DecodeProfileConfig(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->profile, profile.profile);
  EXPECT_EQ(decoded->definition_versions, profile.definition_versions);
  EXPECT_EQ(decoded->targets, profile.targets);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeProfileConfig(bytes.substr(0, size)));

  ThingConfig thing{EntityOf("a"), model::ThingName("a"), true, {model::ThingGroupName("g"), model::ThingGroupName("h")}};
  bytes.clear();
  EncodeConfig(thing, bytes);
  EXPECT_EQ(DecodeThingConfig(bytes)->groups, thing.groups);
  EXPECT_EQ(DecodeThingConfig(bytes)->entity, thing.entity);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeThingConfig(bytes.substr(0, size)));

  bytes.clear();
  EncodeConfig(CustomMetricConfig{model::CustomMetricName("m"), 70, model::CustomMetricType::kStringList}, bytes);
  EXPECT_EQ(DecodeCustomMetricConfig(bytes)->id, 70u);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeCustomMetricConfig(bytes.substr(0, size)));
}

TEST(NextDefinitionVersions, ChangesOnlyWithTheDefinition) {
  model::SecurityProfile before = Profile("P", kMixed).profile, after = before;
  after.version = 5;
  after.behaviors[0].suppress_alerts = true;                       // no part of the definition
  after.behaviors[1].criteria->consecutive_datapoints_to_alarm = 3;
  after.behaviors[2].name = model::BehaviorName("renamed");
  std::swap(after.behaviors[3], after.behaviors[4]);
  EXPECT_EQ(NextDefinitionVersions(before, {1, 2, 3, 4, 4, 3, 2, 1, 1, 1, 2, 3}, after),
            (std::vector<std::int64_t>{1, 5, 5, 4, 4, 3, 2, 1, 1, 1, 2, 3}));
}

TEST(Engine, CapsUnregisteredNames) {
  RecordingSink sink;
  Options options = TestOptions();
  options.max_unregistered_things = 3;
  Engine engine(options, sink);
  for (int i = 0; i < 10; ++i) ReportPorts(engine, ("n" + std::to_string(i)).c_str(), 1, {});
  EXPECT_EQ(engine.stats().things, 3u);
  EXPECT_EQ(engine.stats().ignored_names, 7u);
  engine.SetThing({EntityOf("r"), model::ThingName("r"), true, {}}, At(2));
  EXPECT_EQ(engine.stats().things, 4u);
}

// --- a random fleet, for determinism ------------------------------------------------------------------------------


/// One random event, kept so that it can be given to several engines.
struct RandomEvent {
  enum Kind { kReport, kCounts, kConnection, kThing, kRemove, kProfile, kWatermark } kind{};
  std::int64_t second = 0;
  std::string thing;
  report::MetricReport report;
  CounterDeltas deltas;
  std::vector<model::IpAddress> ips;
  bool flag = false;
  std::uint32_t number = 0;
};

std::vector<RandomEvent> MakeEvents(std::uint32_t seed, int count) {
  std::mt19937 random(seed);
  auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  std::vector<RandomEvent> events;
  std::int64_t second = 1;
  for (int i = 0; i < count; ++i) {
    second += pick(4);
    RandomEvent event;
    event.second = second;
    event.thing = "t" + std::to_string(pick(40));
    std::uint32_t kind = pick(100);
    event.flag = pick(10) == 0;
    event.number = pick(3);
    if (kind < 50) {
      event.kind = RandomEvent::kReport;
      event.report.network.bytes_out = pick(400);
      event.report.tcp.listed = pick(3) > 0;
      for (std::uint32_t n = pick(3); n-- > 0 && event.report.tcp.listed;) {
        event.report.tcp.Add(static_cast<std::uint16_t>(1 + pick(4)));
      }
      event.report.tcp.Finish();
    } else if (kind < 80) {
      event.kind = RandomEvent::kCounts;
      event.deltas.messages_sent = pick(12);
      event.deltas.messages_received = pick(3);
      event.deltas.max_message_bytes = event.deltas.min_message_bytes = pick(100);
      if (pick(3) == 0) event.ips.push_back(*model::IpAddress::Parse("10.0.0." + std::to_string(pick(4))));
    } else if (kind < 90) {
      event.kind = RandomEvent::kConnection;
    } else if (kind < 93) {
      event.kind = RandomEvent::kThing;
    } else if (kind < 94) {
      event.kind = RandomEvent::kRemove;
    } else if (kind < 95) {
      event.kind = RandomEvent::kProfile;
    } else {
      event.kind = RandomEvent::kWatermark;
    }
    events.push_back(std::move(event));
  }
  return events;
}

bool IsGlobal(const RandomEvent& event) {
  return event.kind == RandomEvent::kProfile || event.kind == RandomEvent::kWatermark;
}

void Give(Engine& engine, const RandomEvent& event) {
  ThingRef thing{EntityOf(event.thing), event.thing};
  switch (event.kind) {
    case RandomEvent::kReport:
      return engine.OnReport({thing, At(event.second), &event.report, event.flag, false, false});
    case RandomEvent::kCounts: {
      CountsEvent counts{thing, At(event.second / 300 * 300), At(event.second), !event.flag, event.deltas};
      counts.deltas.source_ips = event.ips;
      return engine.OnCounts(counts);
    }
    case RandomEvent::kConnection: return engine.OnConnection({thing, At(event.second), event.number});
    case RandomEvent::kThing: {
      std::vector<model::ThingGroupName> groups;
      if (event.number > 0) groups.emplace_back("g");
      return engine.SetThing({EntityOf(event.thing), model::ThingName(event.thing), true, groups}, At(event.second));
    }
    case RandomEvent::kRemove: return engine.RemoveThing(EntityOf(event.thing), At(event.second));
    case RandomEvent::kProfile: {
      if (event.flag) return engine.RemoveProfile(model::SecurityProfileName("G"), At(event.second));
      ProfileConfig profile = Profile("G", kMixed, {model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")});
      profile.definition_versions[event.number] = 1 + event.number;
      return engine.SetProfile(profile, At(event.second));
    }
    case RandomEvent::kWatermark: return engine.OnWatermark(At(event.second));
  }
}

std::vector<std::string> Sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(Engine, SameDecisionsWhateverTheShards) {
  auto events = MakeEvents(7, 60'000);
  std::vector<std::string> by_shards[2];
  for (std::uint32_t shards : {1u, 4u}) {
    RecordingSink sink;
    std::vector<std::unique_ptr<Engine>> engines;
    Options options = TestOptions();
    options.max_new_alarms_per_second = 0;  // a limit over all things is the one thing that shards share
    for (std::uint32_t i = 0; i < shards; ++i) {
      engines.push_back(std::make_unique<Engine>(options, sink));
      engines.back()->SetProfile(Profile("A", kMixed), At(0));
    }
    for (const RandomEvent& event : events) {
      std::uint32_t owner = engines[0]->SlabOf(EntityOf(event.thing)) % shards;
      for (std::uint32_t i = 0; i < shards; ++i) {
        if (IsGlobal(event) || i == owner) Give(*engines[i], event);
      }
      if (event.kind != RandomEvent::kWatermark) continue;
      std::vector<Engine*> all;
      for (const auto& engine : engines) all.push_back(engine.get());
      Exchange(all);
    }
    // Every shard is told a digest; one of them sends it.
    std::sort(sink.lines.begin(), sink.lines.end());
    auto digests = std::partition(sink.lines.begin(), sink.lines.end(),
                                  [](const std::string& line) { return !line.starts_with("digest"); });
    std::sort(digests, sink.lines.end());
    sink.lines.erase(std::unique(digests, sink.lines.end()), sink.lines.end());
    by_shards[shards == 4] = Sorted(sink.lines);
  }
  EXPECT_GT(by_shards[0].size(), 5000u);
  EXPECT_EQ(by_shards[0], by_shards[1]);
  for (const char* what : {"in-alarm t1 A/p90", "in-alarm t1 A/p10", "digest A/most"}) {
    EXPECT_TRUE(std::any_of(by_shards[0].begin(), by_shards[0].end(),
                            [&](const std::string& line) { return line.starts_with(what); })) << what;
  }
}

TEST(Engine, SameDecisionsAfterFuzzyRestart) {
  auto events = MakeEvents(11, 30'000);
  Options options = TestOptions();
  options.max_new_alarms_per_second = 1;  // storms depend on all slabs together
  RecordingSink straight;
  Engine whole(options, straight);
  whole.SetProfile(Profile("A", kMixed), At(0));
  // The sums of windows are in the log, behind the watermark that closed them.
  std::vector<std::vector<WindowSummary>> summaries(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    Give(whole, events[i]);
    if (events[i].kind != RandomEvent::kWatermark) continue;
    Engine* one = &whole;
    summaries[i] = Exchange(std::span(&one, 1));
  }
  auto replay = [&](Engine& engine, std::size_t i) {
    Give(engine, events[i]);
    for (const WindowSummary& summary : summaries[i]) engine.OnWindowSummary(summary);
  };
  EXPECT_GT(straight.storms.size(), 10u);

  // Slabs are saved at different positions, some long before the "crash" at 20,000, as a checkpointer does.
  RecordingSink before;
  Engine crashed(options, before);
  crashed.SetProfile(Profile("A", kMixed), At(0));
  std::vector<std::string> saved(options.slab_count), raises(options.slab_count);
  std::vector<std::size_t> position(options.slab_count, 0);
  std::string config, cursor;
  constexpr std::size_t kOldest = 15'000, kCrash = 20'000;
  for (std::size_t i = 0; i < kCrash; ++i) {
    crashed.SetPosition(i + 1);
    replay(crashed, i);
    if (i + 1 == kOldest) {
      crashed.ForgetRaises(i + 1);
      config = crashed.SaveConfig();
      cursor = crashed.SaveCursor();
    }
    for (std::uint32_t slab = 0; slab < options.slab_count; ++slab) {
      if (i + 1 != kOldest + slab * 300) continue;
      crashed.SaveSlab(slab, saved[slab]);
      crashed.SaveRaises(slab, raises[slab]);
      position[slab] = i + 1;
    }
  }
  RecordingSink after;
  Engine restored(options, after);
  ASSERT_TRUE(restored.LoadConfig(config).ok());
  ASSERT_TRUE(restored.LoadCursor(cursor).ok());
  for (std::uint32_t slab = 0; slab < options.slab_count; ++slab) {
    ASSERT_TRUE(restored.HoldRaises(slab, kOldest, raises[slab]).ok());
  }
  for (std::size_t i = kOldest; i < events.size(); ++i) {
    for (std::uint32_t slab = 0; slab < options.slab_count; ++slab) {
      if (position[slab] != i) continue;
      ASSERT_TRUE(restored.LoadSlab(slab, saved[slab]).ok());
    }
    restored.SetPosition(i + 1);
    if (IsGlobal(events[i]) || position[restored.SlabOf(EntityOf(events[i].thing))] <= i) replay(restored, i);
  }
  // What the restored engine says again was said before the crash; everything from the crash on is the same.
  auto known = Sorted(straight.lines);
  for (const std::string& line : after.lines) EXPECT_TRUE(std::binary_search(known.begin(), known.end(), line)) << line;
  for (std::uint32_t slab = 0; slab < options.slab_count; ++slab) {
    std::string a, b;
    whole.SaveSlab(slab, a);
    restored.SaveSlab(slab, b);
    EXPECT_EQ(a, b) << slab;
  }
  EXPECT_EQ(whole.SaveCursor(), restored.SaveCursor());
}

TEST(Summary, IsTheSameInAnyOrderAndSplit) {
  std::mt19937 random(5);
  for (std::size_t distinct : {50u, 4096u, 5000u, 40'000u}) {
    for (bool numbers : {false, true}) {
      std::vector<ValueKey> keys;
      for (std::size_t i = 0; i < distinct * 2; ++i) {
        auto count = static_cast<std::int64_t>(random() % distinct * 7);
        keys.push_back(numbers ? KeyOf(static_cast<double>(count) / 3) : KeyOf(count));
      }
      Summary whole(numbers), parts[3] = {Summary(numbers), Summary(numbers), Summary(numbers)}, extra(numbers);
      for (ValueKey key : keys) whole.Add(key);
      std::shuffle(keys.begin(), keys.end(), random);
      for (std::size_t i = 0; i < keys.size(); ++i) parts[i % 3].Add(keys[i]);
      parts[2].Merge(parts[0]);
      parts[2].Merge(parts[1]);
      std::string a, b;
      ByteWriter wa(a), wb(b);
      whole.Save(wa);
      parts[2].Save(wb);
      EXPECT_EQ(a, b) << distinct;
      EXPECT_EQ(whole.exact(), std::set<ValueKey>(keys.begin(), keys.end()).size() <= Summary::kMaxExact);
      Summary loaded;
      ByteReader in(a);
      ASSERT_TRUE(loaded.Load(in) && in.AtEnd());
      EXPECT_EQ(loaded.Sorted(), whole.Sorted());
      EXPECT_EQ(loaded.count(), keys.size());
      for (std::size_t cut = 0; cut < a.size(); cut += 1 + a.size() / 300) {
        ByteReader short_in(std::string_view(a).substr(0, cut));
        EXPECT_FALSE(Summary().Load(short_in));
      }
    }
  }
}

/// Against sorting the others; those in alarm counted as beyond the rest.
TEST(Threshold, IsThePercentileOfTheOthers) {
  std::mt19937 random(6);
  for (std::size_t distinct : {8u, 50u, 1000u, 6000u}) {
    for (bool numbers : {false, true}) {
      std::vector<OwnValue> given;
      Summary whole(numbers), alarmed(numbers);
      for (std::size_t i = 0; i < distinct * 2; ++i) {
        auto count = static_cast<std::int64_t>(random() % distinct * 7);
        given.push_back({numbers ? KeyOf(static_cast<double>(count) / 3) : KeyOf(count), random() % 5 == 0});
        whole.Add(given.back().value);
        if (given.back().alarmed) alarmed.Add(given.back().value);
      }
      for (const char* statistic : {"p0", "p0.01", "p1", "p10", "p50", "p90", "p99.99", "p100"}) {
        std::int32_t percentile = *ParsePercentile(statistic);
        for (bool upper : {false, true}) {
          Threshold threshold(whole, alarmed, percentile, upper);
          EXPECT_FALSE(threshold.MostInAlarm());
          auto obvious = [&](std::size_t own, bool leave_out) {
            std::vector<ValueKey> others;
            std::size_t beyond = 0;
            for (std::size_t i = 0; i < given.size(); ++i) {
              if (i == own) continue;
              bool left_out = leave_out && given[i].alarmed;
              beyond += left_out;
              if (!left_out) others.push_back(given[i].value);
            }
            std::sort(others.begin(), others.end());
            others.insert(upper ? others.end() : others.begin(), beyond, upper ? others.back() : others.front());
            std::size_t rank = (others.size() * static_cast<std::size_t>(percentile) + 9999) / 10000;
            return others[std::max<std::size_t>(rank, 1) - 1];
          };
          auto value = [&](ValueKey key) { return numbers ? NumberOf(key) : static_cast<double>(key); };
          auto compare = [&](ValueKey found, ValueKey exact, std::size_t own) {
            double slack = whole.exact() ? 1.0 : 1.01;
            EXPECT_GE(value(found), value(exact) / (upper ? 1.0 : slack)) << statistic << " " << distinct << " " << own;
            EXPECT_LE(value(found), value(exact) * (upper ? slack : 1.0)) << statistic << " " << distinct << " " << own;
          };
          for (int i = 0; i < 5; ++i) {
            std::size_t own = random() % (given.size() + 1);   // the last: who gave nothing
            std::optional<OwnValue> gave;
            if (own < given.size()) gave = given[own];
            EXPECT_EQ(threshold.Others(gave), given.size() - (gave ? 1 : 0));
            compare(threshold.For(gave, false), obvious(own, false), own);
            compare(threshold.For(gave, true), obvious(own, true), own);
          }
        }
      }
    }
  }
}

/// Things that are healthy but no two alike: the share in alarm stays what the percentile says, for as long as it lasts.
TEST(Engine, AHealthyFleetDoesNotEndUpInAlarm) {
  constexpr int kThings = 100, kWindows = 150;
  const std::pair<const char*, std::pair<double, double>> rules[] = {   // and the expected share in alarm
      {R"("less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p99.99"})", {0.0, 0.03}},
      {R"("less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p99"})", {0.0, 0.03}},
      {R"("less-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p90"})", {0.07, 0.14}},
      {R"("greater-than","durationSeconds":300,"statisticalThreshold":{"statistic":"p50"})", {0.4, 0.6}},
      {R"("greater-than-equals","durationSeconds":300,"statisticalThreshold":{"statistic":"p10"})", {0.07, 0.14}},
  };
  // Alike but noisy; each at a level of its own; levels of very different sizes.
  using Values = std::function<double(int, double)>;
  const Values fleets[] = {[](int, double noise) { return 1000 + 100 * noise; },
                           [](int i, double noise) { return 1000 + 100 * i + 30 * noise; },
                           [](int i, double noise) { return 1000 * std::exp(0.05 * i + 0.3 * noise); }};
  for (const auto& [rule, share] : rules) {
    for (const Values& values : fleets) {
      RecordingSink sink;
      Engine engine(TestOptions(), sink);
      std::string behavior = R"({"name":"b","metric":"aws:num-established-tcp-connections","criteria":{"comparisonOperator":)" +
                             std::string(rule) + "}}";
      engine.SetProfile(Profile("P", behavior.c_str()), At(0));
      engine.OnWatermark(At(0));
      std::mt19937 random(7);
      std::normal_distribution<double> noise;
      double in_alarm = 0;
      for (int window = 0; window < kWindows; ++window) {
        for (int i = 0; i < kThings; ++i) {
          report::MetricReport report;
          report.connections.total = static_cast<std::int64_t>(values(i, noise(random)));
          std::string name = "d" + std::to_string(i);
          engine.OnReport({{EntityOf(name), name}, At(window * 300 + 1 + i), &report, false, false, false});
        }
        engine.OnWatermark(At(window * 300 + 300));
        Engine* one = &engine;
        Exchange(std::span(&one, 1));
        if (window >= kWindows / 2) in_alarm += static_cast<double>(engine.stats().alarms);
      }
      in_alarm /= (kWindows - kWindows / 2) * kThings;
      EXPECT_GE(in_alarm, share.first) << rule << " fleet " << &values - fleets;
      EXPECT_LE(in_alarm, share.second) << rule << " fleet " << &values - fleets;
    }
  }
}

TEST(Engine, NamesChangedSlabs) {
  RecordingSink sink;
  Engine engine(TestOptions(), sink);
  engine.OnWatermark(At(0));
  EXPECT_TRUE(engine.TakeChangedSlabs().empty());
  ReportPorts(engine, "pump", 1, {});
  EXPECT_EQ(engine.TakeChangedSlabs(), std::vector<std::uint32_t>{engine.SlabOf(EntityOf("pump"))});
  engine.OnWatermark(At(10));
  EXPECT_TRUE(engine.TakeChangedSlabs().empty());
  engine.SetProfile(Profile("P", kPorts), At(11));
  EXPECT_EQ(engine.TakeChangedSlabs().size(), 1u);
}

TEST(StormUpdate, CountsAndEnds) {
  RecordingSink sink;
  Options options = TestOptions();
  options.max_new_alarms_per_second = 2;
  Engine engine(options, sink);
  engine.SetProfile(Profile("P", kPorts), At(0));
  engine.OnWatermark(At(0));
  for (int i = 0; i < 6; ++i) ReportPorts(engine, ("d" + std::to_string(i)).c_str(), 5, {9});
  engine.OnWatermark(At(6));
  engine.OnWatermark(At(7));
  engine.OnWatermark(At(16));
  ASSERT_EQ(sink.storms.size(), 3u);
  EXPECT_EQ(sink.storms[0].count, 1u);
  EXPECT_EQ(sink.storms[1].count, 4u);
  EXPECT_EQ(sink.storms[1].id, sink.storms[0].id);
  EXPECT_FALSE(sink.storms[1].ended);
  EXPECT_TRUE(sink.storms[2].ended);
  EXPECT_EQ(sink.decisions.size(), 2u);
}

TEST(ReportAdmission, ThrottlesAndRemembers) {
  ReportAdmission admission;
  AdmissionOptions options;
  EXPECT_EQ(admission.Decide(options, At(0), 1, 10, false), Admission::kAccept);
  EXPECT_EQ(admission.Decide(options, At(1), 1, 10, false), Admission::kDuplicate);
  EXPECT_EQ(admission.Decide(options, At(294), 2, 10, false), Admission::kThrottled);
  EXPECT_EQ(admission.Decide(options, At(295), 2, 10, false), Admission::kAccept);
  EXPECT_EQ(admission.Decide(options, At(600), 1, 11, false), Admission::kAccept);  // same id, another body
  EXPECT_EQ(admission.Decide(options, At(601), 5, 1, true), Admission::kAccept);
  EXPECT_EQ(admission.Decide(options, At(601), 6, 1, true), Admission::kAccept);
  EXPECT_EQ(admission.Decide(options, At(601), 7, 1, true), Admission::kThrottled);
  EXPECT_EQ(admission.Decide(options, At(602), 7, 1, true), Admission::kAccept);
  EXPECT_EQ(admission.Decide(options, At(100), 8, 1, false), Admission::kAccept);  // the clock stepped back
  std::string bytes;
  ByteWriter out(bytes);
  admission.Save(out);
  ReportAdmission loaded;
  ByteReader in(bytes);
  ASSERT_TRUE(loaded.Load(in));
  EXPECT_TRUE(in.AtEnd());
  EXPECT_EQ(loaded.Decide(options, At(500), 1, 11, false), Admission::kDuplicate);
  options.min_report_interval_seconds = 0;
  for (std::uint64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(loaded.Decide(options, At(700), 100 + i, 0, false), Admission::kAccept);
  }
  EXPECT_EQ(loaded.Decide(options, At(700), 1, 11, false), Admission::kAccept);  // 64 reports ago: forgotten
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_FALSE(ReportAdmission().Load(cut));
  }
}

}  // namespace
}  // namespace fleetward::detect
