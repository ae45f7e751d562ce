// Merging days in many calls: the same days as in one, at a cost that grows with the rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/telemetry/maintenance.h"
#include "hour_block.h"
#include "keys.h"
#include "store_test_support.h"

namespace fleetward::telemetry {
namespace {

constexpr std::uint32_t kDay = 20'000;
const Timestamp kLater = FromMillis((kDay + 3) * kHoursPerDay * kHourMillis);   // two days and more have ended
constexpr LogPosition kAll = 1'000'000;

/// Things of which TestEntity's numbers are 1 to `count`, in the order of the keys.
std::vector<model::EntityId> Things(std::uint64_t count) {
  std::vector<model::EntityId> things;
  for (std::uint64_t n = 1; n <= count; ++n) things.push_back(TestEntity(n));
  std::sort(things.begin(), things.end(), [](const auto& a, const auto& b) { return ThingKey(0, a) < ThingKey(0, b); });
  return things;
}

struct Row {
  model::EntityId thing;
  std::uint32_t hour = 0;            // since kDay began
  Lane lane = 0;
  LogPosition first = 0, sealed_by = 0;
};

/// A store with hour rows, and their merge.
class World {
 public:
  World() { Restart(); }
  void Put(const Row& row) {
    Sample samples[2];
    std::string rows;
    for (int i = 0; i < 2; ++i) {
      samples[i].entity = row.thing;
      // Every sample has a time of its own: whatever is merged first, the day's order is given.
      samples[i].time = FromMillis((kDay * kHoursPerDay + row.hour) * kHourMillis + static_cast<std::int64_t>(row.first) * 10 + i);
      samples[i].AddCount({9, 0}, static_cast<std::int64_t>(row.first));
      AppendHourRow(samples[i], i > 0 ? &samples[i - 1] : nullptr, rows);
    }
    store::Batch batch;
    batch.Put(kFamilyHours, HourKey(kDay * kHoursPerDay + row.hour, row.thing, row.lane, row.first),
              MakeHourBlock(2, row.first, row.sealed_by, rows));
    ASSERT_TRUE(store->Write(batch).ok());
  }
  void Restart() {
    maintenance = std::make_unique<Maintenance>(*store, [this](SlabId) { return saved; });
  }
  Maintenance::Progress Merge(std::uint64_t max_things, Timestamp watermark = kLater) {
    auto progress = maintenance->Merge(watermark, max_things);
    EXPECT_TRUE(progress.ok());
    return progress.ok() ? progress.value() : Maintenance::Progress();
  }
  /// Calls until nothing is to be done soon, which must come.
  void MergeAll(std::uint64_t max_things) {
    for (int calls = 0; Merge(max_things).more; ++calls) ASSERT_LT(calls, 500);
  }
  std::map<std::string, std::string> Family(store::FamilyId family) const {
    std::map<std::string, std::string> rows;
    EXPECT_TRUE(store->Scan(family, {}, {}, [&](std::string_view key, std::string_view value) {
      rows.emplace(key, value);
      return true;
    }).ok());
    return rows;
  }

  std::unique_ptr<store::MemoryBlockStore> store = store::MakeMemoryBlockStore(TelemetryFamilies().size());
  LogPosition saved = kAll;
  std::unique_ptr<Maintenance> maintenance;
};

TEST(Merge, StepsGiveTheSameDaysAsOneCall) {
  constexpr LogPosition kSaved = 1'000;
  const std::vector<model::EntityId> things = Things(9);
  std::mt19937_64 random(5);
  std::vector<Row> base, late;
  LogPosition position = 0;
  auto row = [&](const model::EntityId& thing, std::uint32_t hour, Lane lane, bool saved) {
    position += 2;
    return Row{thing, hour, lane, position, saved ? position + 1 : kSaved + position};
  };
  for (std::uint32_t hour : {0, 1, 2, 7, 23, 24, 30, 47}) {
    for (const model::EntityId& thing : things) {
      for (Lane lane = 0; lane < kLaneCount; ++lane) {
        if (random() % 3 != 0) base.push_back(row(thing, hour, lane, random() % 5 != 0));
      }
    }
  }
  // Behind where the merge is, before it, and at the thing where it stands.
  for (std::uint32_t i = 0; i < 24; ++i) {
    late.push_back(row(i % 4 == 0 ? things.front() : things[random() % things.size()], static_cast<std::uint32_t>(random() % 48),
                       static_cast<Lane>(2 + random() % 2), i % 6 != 5));
  }
  ASSERT_LT(position, kSaved);
  World once;
  once.saved = kSaved;
  for (const Row& r : base) once.Put(r);
  EXPECT_FALSE(once.Merge(1'000).more);
  for (const Row& r : late) once.Put(r);
  EXPECT_FALSE(once.Merge(1'000).more);
  const auto days = once.Family(kFamilyDays), waiting = once.Family(kFamilyHours);
  EXPECT_EQ(days.size(), 2 * things.size() * kSourceCount);
  EXPECT_GT(waiting.size(), 20u);
  once.saved = kAll;
  EXPECT_FALSE(once.Merge(1'000).more);
  EXPECT_TRUE(once.Family(kFamilyHours).empty());

  for (std::uint64_t max_things : {1, 2, 3, 7}) {
    for (bool restarts : {false, true}) {
      SCOPED_TRACE(testing::Message() << max_things << " things a call, restarts: " << restarts);
      World steps;
      steps.saved = kSaved;
      for (const Row& r : base) steps.Put(r);
      for (std::size_t i = 0; i < late.size(); ++i) {
        steps.Merge(max_things);
        if (restarts && i % 5 == 3) steps.Restart();
        steps.Put(late[i]);
      }
      steps.MergeAll(max_things);
      EXPECT_EQ(steps.Family(kFamilyHours), waiting);
      EXPECT_EQ(steps.Family(kFamilyDays), days);
      steps.Merge(max_things);                // saved in the middle of a pass
      steps.saved = kAll;
      steps.MergeAll(max_things);
      EXPECT_TRUE(steps.Family(kFamilyHours).empty());
      EXPECT_EQ(steps.Family(kFamilyDays), once.Family(kFamilyDays));
    }
  }
}

TEST(Merge, WhatIsNotSavedDoesNotHoldUpTheOthers) {
  const std::vector<model::EntityId> things = Things(10);
  World world;
  world.saved = 100;
  for (std::size_t i = 0; i < things.size(); ++i) world.Put({things[i], 3, 0, i + 1, LogPosition{i < 5 ? 200u : 50u}});
  world.MergeAll(2);
  EXPECT_EQ(world.Family(kFamilyDays).size(), 5u);
  EXPECT_EQ(world.Family(kFamilyHours).size(), 5u);
  world.MergeAll(2);
  EXPECT_EQ(world.Family(kFamilyHours).size(), 5u);
  world.saved = 200;
  world.MergeAll(2);
  EXPECT_TRUE(world.Family(kFamilyHours).empty());
}

TEST(Merge, WhatWasNotWrittenIsMergedByTheNextCall) {
  const std::vector<model::EntityId> things = Things(6);
  World world;
  for (std::size_t i = 0; i < things.size(); ++i) world.Put({things[i], 3, 0, i + 1, i + 1});
  EXPECT_EQ(world.Merge(2).hour_blocks, 2u);
  world.store->SetFull(true);
  EXPECT_FALSE(world.maintenance->Merge(kLater, 2).ok());
  world.store->SetFull(false);
  EXPECT_EQ(world.Merge(2).hour_blocks, 2u);
  EXPECT_EQ(world.Merge(2).hour_blocks, 2u);
  EXPECT_TRUE(world.Family(kFamilyHours).empty());
}

TEST(Merge, AClockThatGoesBackStopsIt) {
  const std::vector<model::EntityId> things = Things(4);
  World world;
  for (std::size_t i = 0; i < things.size(); ++i) world.Put({things[i], 3, 0, i + 1, i + 1});
  EXPECT_TRUE(world.Merge(2).more);
  auto early = world.Merge(2, FromMillis(kDay * kHoursPerDay * kHourMillis));
  EXPECT_FALSE(early.more);
  EXPECT_EQ(early.hour_blocks, 0u);
  EXPECT_EQ(world.Family(kFamilyHours).size(), 2u);
  world.MergeAll(2);
  EXPECT_TRUE(world.Family(kFamilyHours).empty());
}

/// Passes everything on and counts what cursors on hours step over: rows, and what was deleted and not compacted since,
/// over which a store of sorted files steps as well.
class CountingStore final : public store::BlockStore {
 public:
  explicit CountingStore(store::BlockStore& inner) : inner_(inner) {}
  Status Write(const store::Batch& batch) override {
    batch.ForEach([&](store::Batch::Op op, store::FamilyId family, std::string_view key, std::string_view) {
      if (family == kFamilyHours && op == store::Batch::Op::kDelete) deleted_.emplace(key);
    });
    return inner_.Write(batch);
  }
  Result<std::optional<std::string>> Get(store::FamilyId family, std::string_view key) const override {
    return inner_.Get(family, key);
  }
  std::unique_ptr<store::View> NewView() const override { return std::make_unique<CountingView>(*this); }
  Status Flush() override { return inner_.Flush(); }
  Status DropRange(store::FamilyId family, std::string_view from, std::string_view until) override {
    return inner_.DropRange(family, from, until);
  }
  Status CompactRange(store::FamilyId family, std::string_view from, std::string_view until) override {
    if (family == kFamilyHours) deleted_.erase(deleted_.lower_bound(from), deleted_.lower_bound(until));
    return inner_.CompactRange(family, from, until);
  }
  Status Resume() override { return inner_.Resume(); }
  std::uint64_t disk_bytes() const override { return inner_.disk_bytes(); }

  mutable std::uint64_t steps = 0, over_deleted = 0;

 private:
  class CountingCursor final : public store::Cursor {
   public:
    CountingCursor(const CountingStore& store, std::unique_ptr<store::Cursor> inner, std::string_view until)
        : store_(store), inner_(std::move(inner)), until_(until) {}
    void Seek(std::string_view key) override {
      inner_->Seek(key);
      Count(std::string(key));
    }
    void SeekBefore(std::string_view key) override { inner_->SeekBefore(key); }
    bool Valid() const override { return inner_->Valid(); }
    void Next() override {
      std::string from(inner_->key());
      inner_->Next();
      Count(from);
    }
    void Prev() override { inner_->Prev(); }
    std::string_view key() const override { return inner_->key(); }
    std::string_view value() const override { return inner_->value(); }
    Status status() const override { return inner_->status(); }

   private:
    void Count(const std::string& from) {
      ++store_.steps;
      auto begin = store_.deleted_.lower_bound(from);
      std::string_view until = inner_->Valid() ? inner_->key() : std::string_view(until_);
      auto end = !inner_->Valid() && until_.empty() ? store_.deleted_.end() : store_.deleted_.lower_bound(until);
      for (; begin != end && begin != store_.deleted_.end(); ++begin) ++store_.over_deleted;
    }
    const CountingStore& store_;
    std::unique_ptr<store::Cursor> inner_;
    const std::string until_;
  };
  class CountingView final : public store::View {
   public:
    explicit CountingView(const CountingStore& store) : store_(store), inner_(store.inner_.NewView()) {}
    Result<std::optional<std::string>> Get(store::FamilyId family, std::string_view key) const override {
      return inner_->Get(family, key);
    }
    std::unique_ptr<store::Cursor> NewCursor(store::FamilyId family, std::string_view until, bool readahead) const override {
      auto cursor = inner_->NewCursor(family, until, readahead);
      if (family != kFamilyHours) return cursor;
      return std::make_unique<CountingCursor>(store_, std::move(cursor), until);
    }

   private:
    const CountingStore& store_;
    std::unique_ptr<store::View> inner_;
  };

  store::BlockStore& inner_;
  std::set<std::string, std::less<>> deleted_;
};

TEST(Merge, CostsTheSameForEachThingWhateverTheirNumber) {
  for (std::uint64_t count : {50, 200}) {
    World world;
    LogPosition position = 0;
    for (const model::EntityId& thing : Things(count)) {
      for (std::uint32_t hour = 0; hour < kHoursPerDay; ++hour, ++position) world.Put({thing, hour, 0, position, position});
    }
    CountingStore counting(*world.store);
    Maintenance maintenance(counting, [](SlabId) { return kAll; });
    std::uint64_t blocks = 0, calls = 0;
    for (bool more = true; more; ++calls) {
      auto progress = maintenance.Merge(kLater, 5);
      ASSERT_TRUE(progress.ok());
      blocks += progress.value().hour_blocks;
      more = progress.value().more;
    }
    EXPECT_EQ(blocks, count * kHoursPerDay);
    EXPECT_EQ(world.Family(kFamilyDays).size(), count);
    // A step for each row, a seek for each hour in each call, and a few to find the days.
    EXPECT_LE(counting.steps, blocks + calls * kHoursPerDay + 10) << count;
    EXPECT_EQ(counting.over_deleted, 0u) << count;
  }
}

}  // namespace
}  // namespace fleetward::telemetry
