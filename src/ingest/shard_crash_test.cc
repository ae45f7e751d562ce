// Two shards that crash again and again, with slabs of different ages in the store, end as two that never did.
#include <gtest/gtest.h>

#include <random>

#include "fleetward/base/log.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/model/json.h"
#include "fleetward/report/record.h"
#include "fleetward/telemetry/query.h"
#include "shard.h"

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'700'000'100'000;
constexpr std::uint32_t kShards = 2;
constexpr int kThings = 60;

model::EntityId EntityOf(int thing) { return {static_cast<std::uint64_t>(thing) * 0x9e3779b97f4a7c15ULL, 7}; }
std::string NameOf(int thing) { return "thing-" + std::to_string(thing); }

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

/// A log of everything that can happen to a fleet; the same for the same seed.
class Story {
 public:
  explicit Story(std::uint64_t seed) : random_(seed) {
    Compare();
    for (int i = 0; i < 1500; ++i) Next();
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
    if (thing % 3 == 0) record.config.groups = {model::ThingGroupName("g")};
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
           "durationSeconds":300,"value":{"count":8}}},
          {"name":"offline","metric":"aws:disconnect-duration","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":1}}},
          {"name":"bytes","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than",
           "durationSeconds":300,"value":{"count":900}}}]})");
    record.config.definition_versions = {static_cast<std::int64_t>(now_ms_), 1, 1, 1};
    model::ProfileTarget::Kind kind =
        Pick(2) != 0 ? model::ProfileTarget::Kind::kAllThings : model::ProfileTarget::Kind::kAllRegistered;
    record.config.targets.push_back({kind, {}});
    Add(record);
  }

  /// As at each start of the server.
  void Compare() {
    Add(ConfigBeginRecord{});
    for (int thing = 0; thing < kThings; ++thing) {
      if (thing % 4 != 3 && Pick(20) != 0) SetThing(thing);  // the others are not registered
    }
    SetProfile();
    Add(ConfigEndRecord{now_ms_});
  }

  void Next() {
    now_ms_ += static_cast<std::int64_t>(Pick(400));
    int thing = static_cast<int>(Pick(kThings));
    std::string name = NameOf(thing);
    std::uint64_t kind = Pick(1000);
    if (kind < 500) {
      report::MetricReport report;
      report.report_id = Pick(1000);
      report.tcp.listed = true;
      report.tcp.total = static_cast<std::int64_t>(Pick(10));
      report.network.bytes_out = static_cast<std::int64_t>(Pick(1000));
      std::string body;
      report::EncodeRecord(report, body);
      Add(ReportRecord{EntityOf(thing), name, now_ms_, ReportRecord::kRegistered, Pick(3), "", body});
    } else if (kind < 750) {
      CountsRecord counts;
      counts.entity = EntityOf(thing);
      counts.thing = name;
      counts.bucket_ms = now_ms_ - now_ms_ % 10'000;
      counts.time_ms = now_ms_;
      counts.flags = CountsRecord::kConnected | CountsRecord::kRegistered;
      counts.messages_sent = Pick(5);
      counts.source_ip = "192.0.2.1";
      Add(counts);
    } else if (kind < 850) {
      ConnectionRecord connection;
      connection.entity = EntityOf(thing);
      connection.thing = name;
      connection.kind = static_cast<ConnectionRecord::Kind>(Pick(3));
      connection.time_ms = now_ms_;
      connection.connection = Pick(3);
      connection.client_id = name;
      Add(connection);
    } else if (kind < 985) {
      Add(WatermarkRecord{now_ms_});
    } else if (kind < 988) {
      Add(EdgeStartRecord{Id128{1, Pick(100)}, now_ms_});
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
  explicit Machine(const Story& story) : log_(story.records) { Boot(); }

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

 private:
  const std::vector<std::string>& log_;
  std::size_t given_ = 0;
  ManualClock clock_{FromMillis(kStart)};
  CounterRegistry counters_;
  NoAnswers answers_;
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  std::vector<std::unique_ptr<Shard>> shards_;
};

TEST(ShardCrash, ByteForByteAsIfNothingHadHappened) {
  log::SetLevel(log::Level::kError);
  std::size_t mixed = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    Story story(seed);
    Machine straight(story);
    while (straight.more()) straight.Give(100, 0);
    std::vector<std::string> expected = straight.Everything();
    EXPECT_GT(straight.events, 200U);

    Machine crashing(story);
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
}

}  // namespace
}  // namespace fleetward::ingest
