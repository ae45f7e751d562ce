// No accepted sample is missing or doubled, wherever the crash falls (docs/recovery.md).
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>

#include "fleetward/base/encoding.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/query.h"
#include "fleetward/telemetry/shard_state.h"
#include "store_test_support.h"

namespace fleetward::telemetry {
namespace {

constexpr std::int64_t kStart = 1'790'000'000'000;
constexpr int kThings = 40;

/// A record of the log is a seed: what it says follows from it, as in a real log.
struct RecordOf {
  std::uint64_t seed = 0;
  std::uint32_t thing = 0;
  std::int64_t time_ms = 0;
  std::uint32_t flags = 0;
  Source source = Source::kDevice;

  std::string Encode() const {
    std::string bytes;
    ByteWriter w(bytes);
    w.U64(seed);
    w.U32(thing);
    w.SignedVarint(time_ms);
    w.U32(flags);
    w.U8(static_cast<std::uint8_t>(source));
    return bytes;
  }
  static Sample Decode(std::string_view bytes) {
    ByteReader r(bytes);
    Sample sample;
    std::mt19937_64 random(r.U64());
    sample.entity = TestEntity(r.U32());
    sample.time = FromMillis(r.SignedVarint());
    std::uint32_t flags = r.U32();
    Source source = static_cast<Source>(r.U8());
    FillRandom(random, sample);
    sample.flags = flags;
    sample.source = source;
    return sample;
  }
};

/// A counter for each thing and one for all: the simplest engine whose state shows a record lost or applied twice.
struct CountingEngine {
  std::map<model::EntityId, std::uint64_t> counts;
  std::uint64_t all = 0;   // records of every shard
  std::size_t held = 0;
  EngineSlabs Callbacks() {
    return {[this](SlabId slab, std::string& out) {
              ByteWriter w(out);
              if (slab >= kSlabCount) w.U64(all);
              for (const auto& [entity, count] : counts) {
                if (SlabOf(entity) != slab) continue;
                w.Raw(entity.Bytes());
                w.U64(count);
              }
            },
            [this](SlabId slab, std::string_view bytes) -> Status {
              if (slab >= kSlabCount) {
                all = ByteReader(bytes).U64();
                return {};
              }
              for (ByteReader r(bytes); !r.AtEnd();) {
                model::EntityId entity = *Id128::FromBytes(r.Raw(16));
                counts[entity] = r.U64();
              }
              return {};
            },
            [this](SlabId, std::string_view) -> Status {
              ++held;
              return {};
            }};
  }
};

class Server {
 public:
  Server(store::BlockStore& store, store::EventLog& log, std::uint32_t shards) : store_(store), log_(log) {
    CheckpointOptions options;
    options.max_step_bytes = 2000;  // few slabs a step: many different saved positions
    for (std::uint32_t i = 0; i < shards; ++i) {
      engines_.push_back(std::make_unique<CountingEngine>());
      shards_.push_back(std::make_unique<ShardState>(store, i, shards, engines_.back()->Callbacks(), options));
    }
  }
  void Start() {
    auto applied = AppliedTable::Open(store_, static_cast<std::uint32_t>(shards_.size()));
    ASSERT_TRUE(applied.ok());
    for (auto& shard : shards_) ASSERT_TRUE(shard->Load(applied.value()).ok());
    auto reader = log_.ReadFrom(applied.value().applied + 1);
    ASSERT_TRUE(reader.ok()) << reader.error().ToString();
    for (;;) {
      auto record = reader.value()->Next();
      ASSERT_TRUE(record.ok());
      if (!record.value()) break;
      for (auto& shard : shards_) ASSERT_TRUE(shard->Reach(record.value()->position).ok());
      Apply(record.value()->position, record.value()->payload);
    }
    for (auto& shard : shards_) ASSERT_TRUE(shard->ReachEnd().ok());
  }
  void Apply(LogPosition position, std::string_view payload) {
    Sample sample = RecordOf::Decode(payload);
    std::uint32_t owner = ShardOf(SlabOf(sample.entity), static_cast<std::uint32_t>(shards_.size()));
    ShardState& shard = *shards_[owner];
    SlabId slab = SlabOf(sample.entity);
    for (std::size_t i = 0; i < shards_.size(); ++i) engines_[i]->all += shards_[i]->ShouldApply(position);
    if (shard.ShouldApply(position) && shard.ShouldApply(slab, position)) {
      ++engines_[owner]->counts[sample.entity];
      shard.recorder().Add(sample, position);
      shard.Touch(slab);
    }
    applied_ = position;
  }
  /// Commits `steps` shards, so that a crash can fall between two of them.
  void Commit(std::size_t steps, Timestamp watermark, std::int64_t clock) {
    for (std::size_t i = 0; i < std::min(steps, shards_.size()); ++i) {
      bool begin = clock % 7 == 0 && (!shards_[i]->checkpointer().active() || clock % 5 == 0);  // some rounds are given up
      if (begin) shards_[i]->BeginCheckpoint(applied_);
      (void)shards_[i]->Commit(applied_, watermark, clock, static_cast<Pace>(clock % 3)).ok();
    }
  }
  std::size_t held() const {
    std::size_t all = 0;
    for (const auto& engine : engines_) all += engine->held;
    return all;
  }
  void ExpectAllCounted(std::uint64_t records) const {
    for (const auto& engine : engines_) ASSERT_EQ(engine->all, records);
  }
  Status Trim() {
    std::vector<const Checkpointer*> checkpointers;
    for (auto& shard : shards_) checkpointers.push_back(&shard->checkpointer());
    return LogTrimmer(store_, log_, checkpointers).Run();
  }
  Result<Maintenance::Progress> Merge(Timestamp watermark) {
    auto saved = [this](SlabId slab) {
      return shards_[ShardOf(slab, static_cast<std::uint32_t>(shards_.size()))]->checkpointer().SavedPosition(slab);
    };
    return Maintenance(store_, saved).Merge(watermark, 7);
  }
  std::vector<const Recorder*> recorders() const {
    std::vector<const Recorder*> all;
    for (const auto& shard : shards_) all.push_back(&shard->recorder());
    return all;
  }
  std::map<model::EntityId, std::uint64_t> Counts() const {
    std::map<model::EntityId, std::uint64_t> all;
    for (const auto& engine : engines_) {
      for (const auto& [entity, count] : engine->counts) all[entity] += count;
    }
    return all;
  }

 private:
  store::BlockStore& store_;
  store::EventLog& log_;
  std::vector<std::unique_ptr<CountingEngine>> engines_;
  std::vector<std::unique_ptr<ShardState>> shards_;
  LogPosition applied_ = 0;
};

using Order = std::tuple<Timestamp, std::uint64_t, std::uint32_t>;

void ExpectEverySampleOnce(const store::BlockStore& store, const Server& server, const std::vector<RecordOf>& accepted) {
  Query query(store, server.recorders());
  std::map<model::EntityId, std::uint64_t> counts;
  for (std::uint32_t thing = 0; thing < kThings; ++thing) {
    for (Source source : {Source::kDevice, Source::kCloud}) {
      std::vector<Sample> expected, found;
      for (const RecordOf& record : accepted) {
        if (record.thing == thing && record.source == source) expected.push_back(RecordOf::Decode(record.Encode()));
      }
      counts[TestEntity(thing)] += expected.size();
      Status status = query.Samples(TestEntity(thing), source, FromMillis(kStart - 864'000'000), FromMillis(kStart + 8'640'000'000),
                                    [&](const Sample& sample) {
                                      found.push_back(sample);
                                      return true;
                                    });
      ASSERT_TRUE(status.ok()) << status.error().ToString();
      auto order = [](const Sample& a, const Sample& b) {
        return Order(a.time, a.report_id, a.flags) < Order(b.time, b.report_id, b.flags);
      };
      std::stable_sort(expected.begin(), expected.end(), order);
      std::stable_sort(found.begin(), found.end(), order);
      ASSERT_EQ(found.size(), expected.size()) << "thing " << thing;
      for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], expected[i]);
    }
  }
  auto engine = server.Counts();
  for (const auto& [entity, count] : counts) {
    if (count) {
      ASSERT_EQ(engine[entity], count);
    }
  }
}

/// One life of a server: random work, random crashes, and a comparison after each.
void RunCrashes(std::uint64_t seed, std::uint32_t shards, int crashes, std::size_t& held) {
  std::mt19937_64 random(seed);
  auto store = store::MakeMemoryBlockStore(TelemetryFamilies().size());
  auto log = store::MakeMemoryLog();
  std::vector<RecordOf> accepted, pending;
  std::int64_t now = kStart, clock = 1;
  for (int life = 0; life <= crashes; ++life) {
    Server server(*store, *log, shards);
    server.Start();
    if (testing::Test::HasFatalFailure()) return;
    ExpectEverySampleOnce(*store, server, accepted);
    server.ExpectAllCounted(accepted.size());
    held += server.held();
    if (testing::Test::HasFatalFailure()) return;
    int steps = static_cast<int>(random() % 400);
    bool full = random() % 4 == 0;
    for (int step = 0; step < steps; ++step) {
      now += static_cast<std::int64_t>(random() % 600'000);
      clock += static_cast<std::int64_t>(random() % 2000);
      for (std::uint64_t n = random() % 6; n > 0; --n) {
        RecordOf record{random(), static_cast<std::uint32_t>(random() % kThings), now, 0,
                        random() % 3 ? Source::kDevice : Source::kCloud};
        if (random() % 10 == 0) {
          record.flags = kFlagLate;
          record.time_ms -= static_cast<std::int64_t>(random() % 200'000'000);
        }
        if (!log->Append(record.Encode()).ok()) continue;
        pending.push_back(record);
      }
      if (random() % 20 == 0) break;  // the crash falls between append and sync
      ASSERT_TRUE(log->Sync().ok());
      LogPosition position = log->durable_position() - pending.size();
      for (const RecordOf& record : pending) {
        accepted.push_back(record);
        ++position;
        if (random() % 200 != 0 || &record != &pending.back()) server.Apply(position, record.Encode());
        else goto crash;
      }
      pending.clear();
      store->SetFull(full && step > 100 && step < 200);
      server.Commit(random() % (shards + 1) + (random() % 2 ? shards : 0), FromMillis(now), clock);
      if (random() % 10 == 0) (void)server.Trim().ok();
      if (random() % 15 == 0) (void)server.Merge(FromMillis(now)).ok();
      if (random() % 25 == 0) (void)store->Flush().ok();  // RocksDB flushes on its own, too
    }
  crash:
    log->DropPending();
    pending.clear();
    store->SetFull(false);
    store->Crash();
  }
}

TEST(Crash, EverySampleOnceWhereverItFalls) {
  std::size_t held = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    RunCrashes(seed, 1 + seed % 3, 8, held);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
  EXPECT_GT(held, 100U);  // slabs that were newer than the last whole round
}

}  // namespace
}  // namespace fleetward::telemetry
