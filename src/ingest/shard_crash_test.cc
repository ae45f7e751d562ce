// Two shards that crash again and again, with slabs of different ages in the store, end as two that never did.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "fleetward/base/log.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/model/dimension.h"
#include "fleetward/model/json.h"
#include "fleetward/report/record.h"
#include "fleetward/telemetry/query.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'700'000'100'000;
constexpr std::uint32_t kShards = 2;
constexpr int kThings = 60;
constexpr int kSteady = 56;   // from here on they stay connected and break no rule: a model learns nothing of a thing in alarm
constexpr std::uint32_t kDimension = 6;

model::EntityId EntityOf(int thing) { return {static_cast<std::uint64_t>(thing) * 0x9e3779b97f4a7c15ULL, 7}; }
std::string NameOf(int thing) { return "thing-" + std::to_string(thing); }
bool IsRegistered(int thing) { return thing % 4 != 3; }

std::array<std::uint8_t, 32> Sha256(std::string_view bytes) {
  std::string digest = crypto::Sha256(bytes);
  std::array<std::uint8_t, 32> out{};
  std::copy(digest.begin(), digest.end(), out.begin());
  return out;
}

class NoAnswers : public AnswerSink {
 public:
  void Send(std::string_view, std::string_view) override {}
  void Flush() override {}
};

constexpr const char* kCompared[] = {"admin", "p-ports", "p-sent", "p-admin", "most", "ml-sent", "ml-admin"};

/// A log of everything that can happen to a fleet; the same for the same seed.
class Story {
 public:
  explicit Story(std::uint64_t seed) : random_(seed) {
    Compare();
    ConnectSteady();
    for (int i = 0; i < 750; ++i) Next();
    Night();
    TwoDays();
    for (int i = 0; i < 750; ++i) Next();
    Add(WatermarkRecord{now_ms_ + 20'000});
  }
  std::vector<std::string> records;

 private:
  std::uint64_t Pick(std::uint64_t n) { return random_() % n; }

  void Add(const Record& record) {
    std::string bytes;
    EncodeLogRecord(record, bytes);
    records.push_back(std::move(bytes));
  }

  void SetThing(int thing) {
    ThingSetRecord record;
    record.time_ms = now_ms_;
    record.config.entity = EntityOf(thing);
    record.config.name = model::ThingName(NameOf(thing));
    if (thing % 3 != 2 && thing < kSteady) record.config.groups = {model::ThingGroupName("g")};
    Add(record);
  }

  void SetProfile() {
    ProfileSetRecord record;
    record.time_ms = now_ms_;
    record.config.profile = *model::ParseSecurityProfile(
        R"({"securityProfileName":"P","behaviors":[
          {"name":"ports","metric":"aws:num-listening-tcp-ports","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":)" + std::to_string(4 + Pick(4)) + R"(}}},
          {"name":"sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":100}}},
          {"name":"offline","metric":"aws:disconnect-duration","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":1}}},
          {"name":"bytes","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":900}}},
          {"name":"admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"IN"},
           "criteria":{"comparisonOperator":"less-than","durationSeconds":10,"value":{"count":4}}},
          {"name":"p-ports","metric":"aws:num-listening-tcp-ports","criteria":{"comparisonOperator":"less-than-equals",
           "durationSeconds":30,"statisticalThreshold":{"statistic":")" + (Pick(8) == 0 ? "p90" : "p99") + R"("}}},
          {"name":"p-sent","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"less-than-equals",
           "durationSeconds":10,"statisticalThreshold":{"statistic":"p99.99"}}},
          {"name":"p-admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"NOT_IN"},
           "criteria":{"comparisonOperator":"less-than-equals","durationSeconds":20,"statisticalThreshold":{"statistic":"p90"}}},
          {"name":"ml-sent","metric":"aws:num-messages-sent","criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}},
          {"name":"ml-admin","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"admin","operator":"IN"},
           "criteria":{"mlDetectionConfig":{"confidenceLevel":"LOW"}}}]})");
    record.config.definition_versions.assign(record.config.profile.behaviors.size(), 1);
    record.config.definition_versions[0] = now_ms_;
    const model::Behavior& ports = record.config.profile.behaviors[5];
    record.config.definition_versions[5] = *ports.criteria->statistic == "p90" ? 2 : 1;
    model::ProfileTarget::Kind kind =
        Pick(2) != 0 ? model::ProfileTarget::Kind::kAllThings : model::ProfileTarget::Kind::kAllRegistered;
    record.config.targets.push_back({kind, {}});
    Add(record);
  }

  /// A rule that most violate.
  void SetDigestProfile() {
    ProfileSetRecord record;
    record.time_ms = now_ms_;
    record.config.profile = *model::ParseSecurityProfile(
        R"({"securityProfileName":"Q","behaviors":[
          {"name":"most","metric":"aws:num-messages-sent","criteria":{"comparisonOperator":"greater-than",
           "durationSeconds":10,"statisticalThreshold":{"statistic":"p50"}}}]})");
    record.config.definition_versions = {1};
    record.config.targets.push_back({model::ProfileTarget::Kind::kThingGroup, model::ThingGroupName("g")});
    Add(record);
  }

  void Connect(int thing, ConnectionRecord::Kind kind, std::uint64_t number) {
    std::string name = NameOf(thing);
    ConnectionRecord connection;
    connection.entity = EntityOf(thing);
    connection.thing = name;
    connection.kind = kind;
    connection.time_ms = now_ms_;
    connection.connection = number;
    connection.client_id = name;
    Add(connection);
  }
  void ConnectSteady() {
    for (int thing = kSteady; thing < kThings; ++thing) Connect(thing, ConnectionRecord::Kind::kConnect, 1);
  }

  /// Messages in a dimension and beside it.
  void Count(int thing, std::uint64_t inside, std::uint64_t outside) {
    std::string name = NameOf(thing);
    CountsRecord counts;
    counts.entity = EntityOf(thing);
    counts.thing = name;
    counts.bucket_ms = now_ms_ - now_ms_ % 10'000;
    counts.time_ms = now_ms_;
    const std::uint8_t registered = IsRegistered(thing) ? CountsRecord::kRegistered : 0;
    counts.flags = static_cast<std::uint8_t>(CountsRecord::kConnected | registered);
    counts.source_ip = "192.0.2.1";
    counts.messages_sent = inside + outside;
    Add(counts);
    counts.dimension = model::DimensionSeries(kDimension, model::DimensionOperator::kIn);
    counts.messages_sent = inside;
    Add(counts);
    counts.dimension = model::DimensionSeries(kDimension, model::DimensionOperator::kNotIn);
    counts.messages_sent = outside;
    Add(counts);
  }

  /// Models see for long enough what is usual, then something else.
  void Night() {
    ConnectSteady();
    for (int bucket = 0; bucket < 160; ++bucket) {
      now_ms_ += 10'000;
      Add(WatermarkRecord{now_ms_ / 10'000 * 10'000});
      for (int thing = kSteady; thing < kThings; ++thing) Count(thing, bucket < 155 ? 3 : 90'000, 0);
    }
  }

  /// In which nobody watched. The names that are no things are forgotten at the full hour, and come again.
  void TwoDays() {
    now_ms_ = (now_ms_ / 3'600'000 + 52) * 3'600'000 - 30'000;
    for (int bucket = 0; bucket < 6; ++bucket) Add(WatermarkRecord{now_ms_ += 10'000});
  }

  /// As at each start of the server.
  void Compare() {
    Add(ConfigBeginRecord{});
    Add(DimensionSetRecord{now_ms_, model::DimensionName("admin"), kDimension});
    for (int thing = 0; thing < kThings; ++thing) {
      if (IsRegistered(thing) && Pick(20) != 0) SetThing(thing);
    }
    SetProfile();
    SetDigestProfile();
    Add(ConfigEndRecord{now_ms_});
  }

  void Next() {
    std::int64_t bucket = now_ms_ / 10'000;
    now_ms_ += static_cast<std::int64_t>(Pick(1600));
    if (now_ms_ / 10'000 != bucket && Pick(10) != 0) Add(WatermarkRecord{now_ms_ / 10'000 * 10'000});
    int thing = static_cast<int>(Pick(kThings));
    bool steady = thing >= kSteady;
    std::string name = NameOf(thing);
    std::uint64_t kind = Pick(1000);
    if (kind < 500) {
      report::MetricReport report;
      report.report_id = Pick(1000);
      report.tcp.listed = true;
      report.tcp.total = static_cast<std::int64_t>(steady ? 1 : Pick(10));
      report.network.bytes_out = static_cast<std::int64_t>(steady ? 1 : Pick(1000));
      std::string body;
      report::EncodeRecord(report, body);
      std::uint8_t flags = IsRegistered(thing) ? ReportRecord::kRegistered : 0;
      Add(ReportRecord{EntityOf(thing), name, now_ms_, flags, Pick(3), "", body});
    } else if (kind < 750) {
      std::uint64_t inside = Pick(3), outside = Pick(3);
      if (Pick(40) == 0 && !steady) (Pick(2) == 0 ? inside : outside) += 200;
      Count(thing, inside, outside);
    } else if (kind < 850) {
      auto what = static_cast<ConnectionRecord::Kind>(Pick(3));
      Connect(thing, steady ? ConnectionRecord::Kind::kConnect : what, steady ? 1 : Pick(3));
    } else if (kind < 985) {
      Add(WatermarkRecord{now_ms_});
    } else if (kind < 988) {
      Add(EdgeStartRecord{Id128{1, Pick(100)}, now_ms_});
      ConnectSteady();
    } else if (kind < 991) {
      SetProfile();
    } else if (kind < 994) {
      SetThing(thing);
    } else if (kind < 996) {
      Add(ThingRemovedRecord{now_ms_, EntityOf(thing)});
    } else if (kind < 997) {
      Add(ClockStepRecord{-3000, now_ms_ -= 3000});
    } else if (kind < 998) {
      Compare();
    } else {
      Add(EdgeProgressRecord{Id128{1, Pick(5)}, records.size()});
    }
  }

  std::mt19937_64 random_;
  std::int64_t now_ms_ = kStart;
};

class Machine {
 public:
  explicit Machine(const std::vector<std::string>& log) : log_(log) { Boot(); }

  void Boot() {
    auto applied = telemetry::AppliedTable::Open(*blocks_, kShards).value();
    LogBatch tail;
    tail.first = applied.applied + 1;
    for (std::size_t i = applied.applied; i < given_; ++i) tail.Add(log_[i]);
    replayed += tail.size();
    mixed += applied.applied > 0 && applied.newest > applied.applied;
    for (std::uint32_t i = 0; i < kShards; ++i) {
      ShardOptions options;
      options.index = i;
      options.count = kShards;
      options.engine.account = model::AccountId("123456789012");
      options.engine.sha256 = Sha256;
      options.engine.bucket_seconds = 10;
      options.engine.max_new_alarms_per_second = 1;
      options.admission.min_report_interval_seconds = 2;
      options.checkpoint.max_step_bytes = 1;  // one slab a step
      shards_.push_back(std::make_unique<Shard>(
          options, *blocks_, clock_, answers_, [](std::span<const notify::Publication>) { return Status(); },
          [](const model::ViolationId&) { return model::VerificationState::kUnknown; }, counters_));
      ASSERT_TRUE(shards_[i]->Load(applied).ok());
      ASSERT_TRUE(shards_[i]->Replay(tail).ok());
      ASSERT_TRUE(shards_[i]->EndReplay().ok());
      shards_[i]->Start();
    }
  }

  /// `checkpoint`: which shards should begin one.
  void Give(std::size_t records, std::uint64_t checkpoint) {
    auto batch = std::make_shared<LogBatch>();
    batch->first = given_ + 1;
    for (; records > 0 && given_ < log_.size(); --records) batch->Add(log_[given_++]);
    clock_.Advance(Millis(6000));
    for (std::uint32_t i = 0; i < kShards; ++i) {
      if ((checkpoint >> i & 1) != 0) shards_[i]->WantCheckpoint();
      shards_[i]->Post(batch);
      shards_[i]->Ask([](Shard&) {});
      shards_[i]->Ask([](Shard&) {});
    }
  }
  bool more() const { return given_ < log_.size(); }

  /// The sums of the windows that the last watermark closed, as the edge loop asks for them.
  std::vector<detect::WindowSummary> Sums() {
    std::vector<detect::WindowSummary> parts;
    for (auto& shard : shards_) {
      shard->Ask([&](Shard& s) {
        for (detect::WindowSummary& part : s.engine().PendingSummaries()) parts.push_back(std::move(part));
      });
    }
    return detect::MergeWindowSummaries(parts).value();
  }

  void Crash(bool flushed) {
    if (flushed) {
      ASSERT_TRUE(blocks_->Flush().ok());
    }
    // A shard that ends writes a checkpoint; a machine that stops does not.
    blocks_->SetFull(true);
    shards_.clear();
    blocks_->SetFull(false);
    blocks_->Crash();
    Boot();
  }

  /// Everything that anybody could ever see, as text.
  std::vector<std::string> Everything() {
    std::vector<std::string> lines;
    for (auto family : {telemetry::kFamilyEvents, telemetry::kFamilyConnections}) {
      EXPECT_TRUE(blocks_->Scan(family, {}, {}, [&](std::string_view key, std::string_view value) {
        lines.push_back(std::string(key) + "=" + std::string(value));
        return true;
      }).ok());
    }
    events = lines.size();
    for (const std::string& line : lines) {
      for (const char* behavior : kCompared) {
        if (line.find("\"name\":\"" + std::string(behavior) + "\"") != std::string::npos) raised.insert(behavior);
      }
    }
    telemetry::Query query(*blocks_, {&shards_[0]->recorder(), &shards_[1]->recorder()});
    for (int thing = 0; thing < kThings; ++thing) {
      for (auto source : {telemetry::Source::kDevice, telemetry::Source::kCloud}) {
        EXPECT_TRUE(query.Samples(EntityOf(thing), source, FromMillis(kStart - 90'000'000), FromMillis(kStart + 90'000'000),
                                  [&](const telemetry::Sample& sample) {
                                    std::string line = NameOf(thing) + " " + std::to_string(ToMillis(sample.time)) + " " +
                                                       std::to_string(sample.flags) + " " + std::to_string(sample.report_id);
                                    for (auto word : sample.words()) line += " " + std::to_string(word);
                                    lines.push_back(std::move(line));
                                    return true;
                                  }).ok());
      }
    }
    for (auto& shard : shards_) {
      shard->Ask([&](Shard& s) {
        for (telemetry::SlabId slab = 0; slab < telemetry::kSlabCount; ++slab) {
          std::string bytes = "slab " + std::to_string(slab) + " ";
          s.engine().SaveSlab(slab, bytes);
          lines.push_back(std::move(bytes));
        }
        lines.push_back("cursor " + s.engine().SaveCursor());
        lines.push_back("config " + s.engine().SaveConfig());
        for (const auto& [start, seq] : s.edge_progress()) lines.push_back(start.Hex() + std::to_string(seq));
        for (int thing = 0; thing < kThings; ++thing) {
          ThingReport report = s.Describe(EntityOf(thing));
          lines.push_back(report.name + std::to_string(report.open_connections) + " " +
                          std::to_string(ToMillis(report.last_report)) + " " + std::to_string(report.last_report_id) +
                          report.last_client_id + report.last_address + std::to_string(report.faults.size()));
        }
      });
    }
    return lines;
  }

  std::size_t replayed = 0;
  std::size_t mixed = 0;     // starts from a store with slabs of different ages behind a whole round
  std::size_t events = 0;
  std::set<std::string> raised;   // of kCompared

 private:
  const std::vector<std::string>& log_;
  std::size_t given_ = 0;
  ManualClock clock_{FromMillis(kStart)};
  CounterRegistry counters_;
  NoAnswers answers_;
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  std::vector<std::unique_ptr<Shard>> shards_;
};

/// The story as it stands in a log: behind a watermark are the sums of the windows that it closed.
std::vector<std::string> LogOf(const Story& story) {
  std::vector<std::string> log;
  Machine machine(log);
  for (const std::string& record : story.records) {
    log.push_back(record);
    if (TypeOf(record) != RecordType::kWatermark) continue;
    machine.Give(log.size(), 0);
    for (detect::WindowSummary& sum : machine.Sums()) {
      std::string bytes;
      EncodeLogRecord(WindowSummaryRecord{std::move(sum)}, bytes);
      log.push_back(std::move(bytes));
    }
  }
  return log;
}

TEST(ShardCrash, ByteForByteAsIfNothingHadHappened) {
  log::SetLevel(log::Level::kError);
  std::size_t mixed = 0;
  std::set<std::string> raised;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    std::vector<std::string> log = LogOf(Story(seed));
    Machine straight(log);
    while (straight.more()) straight.Give(100, 0);
    std::vector<std::string> expected = straight.Everything();
    EXPECT_GT(straight.events, 200U);

    raised.merge(straight.raised);
    Machine crashing(log);
    std::mt19937_64 random(seed);
    int crashes = 0;
    while (crashing.more()) {
      crashing.Give(random() % 20, random() % 8);
      if (random() % 20 != 0) continue;
      crashing.Crash(random() % 4 != 0);
      ++crashes;
    }
    std::vector<std::string> found = crashing.Everything();
    mixed += crashing.mixed;
    EXPECT_GT(crashes, 0);
    EXPECT_GT(crashing.replayed, 500U);
    ASSERT_EQ(found.size(), expected.size()) << "seed " << seed;
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], expected[i]) << "seed " << seed << " line " << i;
  }
  EXPECT_GT(mixed, 20U);
  for (const char* behavior : kCompared) EXPECT_TRUE(raised.contains(behavior)) << behavior;
}

}  // namespace
}  // namespace fleetward::ingest
