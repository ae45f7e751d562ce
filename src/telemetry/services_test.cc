// Series pages, latest values, expiry, violation events, connection history.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "day_reader.h"
#include "fleetward/telemetry/connection_history.h"
#include "fleetward/telemetry/maintenance.h"
#include "fleetward/telemetry/query.h"
#include "fleetward/telemetry/shard_state.h"
#include "fleetward/telemetry/violation_store.h"
#include "keys.h"
#include "store_test_support.h"

namespace fleetward::telemetry {
namespace {

constexpr std::int64_t kMidnight = 1'790'035'200'000;
constexpr std::int64_t kHour = 3'600'000;

class ServicesTest : public testing::Test {
 protected:
  ServicesTest() : state_(*store_, 0, 1, {}) {}
  void Record(std::int64_t ms, std::int64_t value, std::uint32_t flags = 0) {
    Sample sample;
    sample.entity = TestEntity(1);
    sample.time = FromMillis(ms);
    sample.flags = flags;
    sample.AddCount({9, 0}, value);
    sample.AddNumber({64, 0}, 0.5);
    state_.recorder().Add(sample, ++position_);
    state_.Touch(SlabOf(sample.entity));
  }
  void Save(std::int64_t ms) {
    state_.BeginCheckpoint(position_);
    while (state_.checkpointer().active()) ASSERT_TRUE(state_.CommitAll(position_, FromMillis(ms), ++clock_).ok());
  }
  Maintenance MakeMaintenance() {
    return Maintenance(*store_, [this](SlabId slab) { return state_.checkpointer().SavedPosition(slab); });
  }
  std::vector<std::int64_t> Values(std::int64_t start, std::int64_t end, std::uint32_t page_size) {
    Query query(*store_, {&state_.recorder()});
    std::vector<std::int64_t> all;
    SeriesQuery ask{TestEntity(1), {9, 0}, FromMillis(start), FromMillis(end), page_size, {}};
    do {
      auto page = query.Series(ask);
      EXPECT_TRUE(page.ok());
      EXPECT_LE(page.value().points.size(), page_size);
      for (const Datapoint& point : page.value().points) all.push_back(std::get<model::Count>(point.value).value);
      ask.resume = page.value().resume;
    } while (!ask.resume.empty());
    return all;
  }

  std::unique_ptr<store::MemoryBlockStore> store_ = store::MakeMemoryBlockStore(TelemetryFamilies().size());
  std::int64_t clock_ = 0;
  ShardState state_;
  LogPosition position_ = 0;
};

TEST_F(ServicesTest, PagesSeeOpenHourAndDayBlocksInTimeOrder) {
  std::vector<std::int64_t> expected;
  for (int i = 0; i < 400; ++i) {
    Record(kMidnight + i * 300'000, i);
    expected.push_back(i);
  }
  for (std::uint32_t page : {1u, 7u, 250u, 1000u}) EXPECT_EQ(Values(kMidnight, kMidnight + 48 * kHour, page), expected);
  Save(kMidnight + 34 * kHour);
  auto merged = MakeMaintenance().Merge(FromMillis(kMidnight + 34 * kHour));
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged.value().day_blocks, 1u);
  for (std::uint32_t page : {1u, 7u, 1000u}) EXPECT_EQ(Values(kMidnight, kMidnight + 48 * kHour, page), expected);
  EXPECT_EQ(Values(kMidnight + 300'000, kMidnight + 900'000, 10), (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(ServicesTest, ADamagedBlockCostsOnlyItsOwnSamples) {
  for (int i = 0; i < 36; ++i) Record(kMidnight + i * 300'000, i);  // three hour blocks
  Save(kMidnight + 3 * kHour);
  std::vector<std::string> keys;
  ASSERT_TRUE(store_->Scan(kFamilyHours, {}, {}, [&](std::string_view key, auto) {
    keys.emplace_back(key);
    return true;
  }).ok());
  ASSERT_EQ(keys.size(), 3u);
  store::Batch damage;
  damage.Put(kFamilyHours, keys[1], "no block");
  ASSERT_TRUE(store_->Write(damage).ok());
  Query query(*store_, {&state_.recorder()});
  auto page = query.Series({TestEntity(1), {9, 0}, FromMillis(kMidnight), FromMillis(kMidnight + 24 * kHour), 250, {}});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page.value().points.size(), 24u);
  EXPECT_EQ(page.value().damaged_blocks, 1u);
  std::size_t samples = 0;
  ASSERT_TRUE(query.Samples(TestEntity(1), Source::kDevice, FromMillis(kMidnight), FromMillis(kMidnight + 24 * kHour),
                            [&](const Sample&) { return ++samples > 0; }).ok());
  EXPECT_EQ(samples, 24u);
  EXPECT_EQ(query.damaged_blocks(), 2u);
  // The merge leaves the damaged block where it is; a damaged day block costs that day's merged samples alone.
  Save(kMidnight + 48 * kHour);
  ASSERT_TRUE(MakeMaintenance().Merge(FromMillis(kMidnight + 48 * kHour)).ok());
  std::string day;
  ASSERT_TRUE(store_->Scan(kFamilyDays, {}, {}, [&](std::string_view key, auto) {
    day = key;
    return true;
  }).ok());
  damage.Clear();
  damage.Put(kFamilyDays, day, "no block");
  ASSERT_TRUE(store_->Write(damage).ok());
  Record(kMidnight + 5 * kHour, 77);
  page = query.Series({TestEntity(1), {9, 0}, FromMillis(kMidnight), FromMillis(kMidnight + 24 * kHour), 250, {}});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page.value().points.size(), 1u);
  EXPECT_EQ(page.value().damaged_blocks, 2u);
}

TEST_F(ServicesTest, ADayOfManySamplesHasSeveralParts) {
  constexpr int kSamples = 10'000;
  std::vector<std::int64_t> expected;
  for (int i = 0; i < kSamples; ++i) {
    Record(kMidnight + i * 8'000, i);
    expected.push_back(i);
  }
  Save(kMidnight + 50 * kHour);
  auto merged = MakeMaintenance().Merge(FromMillis(kMidnight + 50 * kHour));
  ASSERT_TRUE(merged.ok());
  EXPECT_GE(merged.value().day_blocks, 3u);
  EXPECT_EQ(Values(kMidnight, kMidnight + 24 * kHour, 3000), expected);
  // What comes late stands behind them, in a part of its own.
  Record(kMidnight + 1, -1, kFlagLate);
  Save(kMidnight + 100 * kHour);
  ASSERT_TRUE(MakeMaintenance().Merge(FromMillis(kMidnight + 100 * kHour)).ok());
  expected.insert(expected.begin() + 1, -1);
  EXPECT_EQ(Values(kMidnight, kMidnight + 24 * kHour, 3000), expected);
}

TEST_F(ServicesTest, ADayOfHugeListsIsSplitByElements) {
  constexpr int kSamples = 20;
  std::vector<std::uint16_t> ports(60'000);
  for (int i = 0; i < kSamples; ++i) {
    Sample sample;
    sample.entity = TestEntity(1);
    sample.time = FromMillis(kMidnight + i * 60'000);
    for (std::size_t p = 0; p < ports.size(); ++p) ports[p] = static_cast<std::uint16_t>(p + static_cast<std::size_t>(i));
    sample.AddPorts({15, 0}, ports);
    state_.recorder().Add(sample, ++position_);
    state_.Touch(SlabOf(sample.entity));
  }
  Save(kMidnight + 50 * kHour);
  auto merged = MakeMaintenance().Merge(FromMillis(kMidnight + 50 * kHour));
  ASSERT_TRUE(merged.ok());
  EXPECT_GE(merged.value().day_blocks, 2u);
  Query query(*store_, {&state_.recorder()});
  int seen = 0;
  ASSERT_TRUE(query.Samples(TestEntity(1), Source::kDevice, FromMillis(kMidnight), FromMillis(kMidnight + 24 * kHour),
                            [&](const Sample& sample) {
                              const Sample::Field* field = sample.Find({15, 0});
                              EXPECT_EQ(field->count, 60'000u);
                              EXPECT_EQ(sample.words()[field->first], static_cast<std::uint64_t>(seen));
                              return ++seen > 0;
                            }).ok());
  EXPECT_EQ(seen, kSamples);
  EXPECT_EQ(query.damaged_blocks(), 0u);
}

TEST_F(ServicesTest, QueriesBesideAWriterSeeAPrefixWithoutGaps) {
  constexpr std::int64_t kCount = 3'000;
  std::atomic<std::int64_t> recorded{0};
  std::thread writer([&] {
    auto maintenance = MakeMaintenance();
    for (std::int64_t i = 0; i < kCount; ++i) {
      Record(kMidnight + i * 60'000, i);  // two days
      recorded = i + 1;
      if (i % 5 == 0) {
        EXPECT_TRUE(state_.Commit(position_, FromMillis(kMidnight), i * 1'000).ok());
      }
      if (i % 50 == 0) Save(kMidnight + i * 60'000);
      if (i % 500 == 0) {
        EXPECT_TRUE(maintenance.Merge(FromMillis(kMidnight + i * 60'000)).ok());
      }
    }
  });
  Query query(*store_, {&state_.recorder()});
  while (recorded < kCount) {
    std::int64_t least = recorded;
    std::int64_t seen = 0;
    EXPECT_TRUE(query.Samples(TestEntity(1), Source::kDevice, FromMillis(kMidnight), FromMillis(kMidnight + 72 * kHour),
                              [&](const Sample& sample) {
                                const Sample::Field* field = sample.Find({9, 0});
                                EXPECT_EQ(sample.words()[field->first], static_cast<std::uint64_t>(seen));
                                return ++seen > 0;
                              }).ok());
    EXPECT_GE(seen, least);
  }
  writer.join();
  EXPECT_EQ(query.damaged_blocks(), 0u);
}

TEST_F(ServicesTest, LateValuesTakeTheirPlaceBeforeAndAfterTheMerge) {
  for (int i = 0; i < 24; ++i) Record(kMidnight + i * kHour, i * 10);
  Record(kMidnight + 30 * kHour, 999);
  Save(kMidnight + 56 * kHour);
  ASSERT_TRUE(MakeMaintenance().Merge(FromMillis(kMidnight + 56 * kHour)).ok());
  Record(kMidnight + kHour + 1, 11, kFlagLate | kFlagSpooled);
  auto day = [&] { return Values(kMidnight, kMidnight + 3 * kHour, 3); };
  EXPECT_EQ(day(), (std::vector<std::int64_t>{0, 10, 11, 20, 30}));
  Save(kMidnight + 100 * kHour);
  ASSERT_TRUE(MakeMaintenance().Merge(FromMillis(kMidnight + 100 * kHour)).ok());
  EXPECT_EQ(day(), (std::vector<std::int64_t>{0, 10, 11, 20, 30}));
  EXPECT_FALSE(store_->NewView()->NewCursor(kFamilyHours)->Valid());
}

TEST_F(ServicesTest, EqualTimesAreSplitOverPagesOnce) {
  for (int i = 0; i < 9; ++i) Record(kMidnight, i);
  EXPECT_EQ(Values(kMidnight, kMidnight, 2).size(), 9u);
  Query query(*store_, {&state_.recorder()});
  SeriesQuery bad{TestEntity(1), {9, 0}, FromMillis(0), FromMillis(kMidnight), 10, "nonsense"};
  EXPECT_EQ(query.Series(bad).error().code(), Code::kInvalidArgument);
}

TEST_F(ServicesTest, LatestIsTheNewestOfEachSeries) {
  Record(kMidnight, 1);
  Record(kMidnight + 5, 2);
  auto latest = Query(*store_, {&state_.recorder()}).Latest(TestEntity(1), FromMillis(kMidnight + kHour), std::chrono::hours(48));
  ASSERT_TRUE(latest.ok());
  ASSERT_EQ(latest.value().size(), 2u);
  EXPECT_EQ(std::get<model::Count>(latest.value()[0].second.value).value, 2);
}

TEST_F(ServicesTest, ExpiryRemovesWhatIsPastRetention) {
  for (int day = 0; day < 40; ++day) {
    for (int i = 0; i < 12; ++i) Record(kMidnight + day * 24 * kHour + i * 60'000, day);
    EventKey key{FromMillis(kMidnight + day * 24 * kHour), {1, static_cast<std::uint64_t>(day)}, model::ViolationEventType::kInAlarm};
    PutEvent(state_.batch(), key, TestEntity(1), "event");
    ConnectionEvent event;
    event.entity = TestEntity(1);
    event.time = key.time;
    PutConnectionEvent(state_.batch(), event, position_);
  }
  std::int64_t now = kMidnight + 40 * 24 * kHour;
  Save(now);
  Maintenance maintenance = MakeMaintenance();
  ASSERT_TRUE(maintenance.Merge(FromMillis(now)).ok());
  for (int hour = 0; hour < 26; ++hour) {
    EXPECT_EQ(Values(0, now, 250).front(), hour);
    ASSERT_TRUE(maintenance.Expire(FromMillis(now)).ok());
    ASSERT_TRUE(maintenance.ExpireEvents(FromMillis(now)).ok());
  }
  std::vector<std::int64_t> left = Values(0, now, 250);
  EXPECT_EQ(left.size(), 14u * 12u);
  EXPECT_EQ(left.front(), 26);
  int events = 0, of_thing = 0, connections = 0;
  auto count = [](int& n) { return [&n](const auto&, auto...) { return ++n > 0; }; };
  ASSERT_TRUE(ScanEvents(*store_, FromMillis(0), FromMillis(now), {}, {}, count(events)).ok());
  ASSERT_TRUE(ScanEvents(*store_, FromMillis(0), FromMillis(now), {}, TestEntity(1), count(of_thing)).ok());
  ASSERT_TRUE(ScanConnections(*store_, {}, FromMillis(kMidnight), FromMillis(now), count(connections)).ok());
  EXPECT_EQ(events, 30);
  EXPECT_EQ(of_thing, 30);
  EXPECT_EQ(connections, 31);
}

// Whether the rows of the present day are merged or not.
TEST_F(ServicesTest, AClockThatIsWeeksAheadTakesTheOldestDayAlone) {
  constexpr int kDays = 30;
  for (int day = 0; day < kDays; ++day) {
    Record(kMidnight + day * 24 * kHour, day);
    Record(kMidnight + day * 24 * kHour + 23 * kHour, day);
    for (int at : {0, 23}) {
      EventKey key{FromMillis(kMidnight + (day * 24 + at) * kHour), {1, static_cast<std::uint64_t>(day * 24 + at)},
                   model::ViolationEventType::kInAlarm};
      PutEvent(state_.batch(), key, TestEntity(1), "event");
      ConnectionEvent event;
      event.entity = TestEntity(1);
      event.time = key.time;
      PutConnectionEvent(state_.batch(), event, position_);
    }
  }
  const std::int64_t now = kMidnight + kDays * 24 * kHour;
  Save(now);
  Maintenance maintenance = MakeMaintenance();
  const Timestamp wrong = FromMillis(now + 100 * 24 * kHour);
  auto left = [&] {
    std::vector<std::size_t> rows{Values(0, now, 250).size(), 0, 0};
    auto count = [](std::size_t& n) { return [&n](const auto&, auto...) { return ++n > 0; }; };
    EXPECT_TRUE(ScanEvents(*store_, FromMillis(0), FromMillis(now), {}, {}, count(rows[1])).ok());
    EXPECT_TRUE(ScanConnections(*store_, {}, FromMillis(0), FromMillis(now), count(rows[2])).ok());
    return rows;
  };
  for (std::size_t calls = 1; calls <= 4; ++calls) {
    if (calls == 3) {
      ASSERT_TRUE(maintenance.Merge(wrong).ok());
    }
    ASSERT_TRUE(maintenance.Expire(wrong).ok());
    for (bool more = true; more;) more = maintenance.ExpireEvents(wrong, 1)->more;
    EXPECT_EQ(left(), std::vector(3, (kDays - calls) * 2));
  }
}

// A range may be all of time: 2.9 million days to the year 9999.
TEST_F(ServicesTest, ARangeCostsTheDaysThatHoldSomething) {
  Record(kMidnight, 1);
  Save(kMidnight + kHour);
  ASSERT_TRUE(MakeMaintenance().Merge(FromMillis(kMidnight + 48 * kHour)).ok());
  Record(kMidnight + 20 * 24 * kHour, 2);
  Save(kMidnight + 21 * 24 * kHour);
  Record(kMidnight + 40 * 24 * kHour, 3);
  constexpr std::int64_t kEnd = 253'402'300'799'000;
  EXPECT_EQ(Values(0, kEnd, 1), (std::vector<std::int64_t>{1, 2, 3}));
  auto view = store_->NewView();
  std::vector<OpenBlock> open;
  state_.recorder().Copy(TestEntity(1), [&](std::vector<OpenBlock> blocks) { open = std::move(blocks); });
  DayScratch scratch;
  DayReader reader(*view, scratch);
  std::vector<std::uint32_t> days;
  for (std::uint32_t day = 0; day <= DayOf(FromMillis(kEnd)); day = reader.NextDay(day, open).value()) {
    ASSERT_TRUE(reader.Read(TestEntity(1), Source::kDevice, day, 0, nullptr, open).ok());
    days.push_back(day);
  }
  const std::uint32_t first = DayOf(FromMillis(kMidnight));
  EXPECT_EQ(days, (std::vector<std::uint32_t>{0, first, first + 1, first + 20, first + 21, first + 40, first + 41}));
}

TEST_F(ServicesTest, WhatWasNeverMergedExpiresAsWell) {
  for (int day = 0; day < 20; ++day) Record(kMidnight + day * 24 * kHour, day);
  const std::int64_t now = kMidnight + 20 * 24 * kHour;
  Save(now);
  for (int day = 0; day < 6; ++day) ASSERT_TRUE(MakeMaintenance().Expire(FromMillis(now)).ok());
  std::vector<std::int64_t> left = Values(0, now, 250);
  ASSERT_EQ(left.size(), 14u);
  EXPECT_EQ(left.front(), 6);
}

TEST_F(ServicesTest, DaysPastFullResolutionAreKeptCoarse) {
  constexpr int kDays = 40;
  for (int day = 0; day < kDays; ++day) {
    for (int i = 0; i < 24; ++i) Record(kMidnight + day * 24 * kHour + i * kHour / 2, day * 100 + i);
  }
  std::int64_t now = kMidnight + kDays * 24 * kHour;
  Save(now);
  Maintenance maintenance = MakeMaintenance();
  Retention retention;
  retention.metric_days = 10;
  retention.downsampled_days = 30;
  retention.downsampled_minutes = 120;
  maintenance.set_retention(retention);
  ASSERT_TRUE(maintenance.Merge(FromMillis(now)).ok());
  // Day by day; expiry between them takes nothing that is still to be made coarse.
  for (std::uint64_t blocks = 1; blocks > 0;) {
    auto progress = maintenance.Downsample(FromMillis(now));
    ASSERT_TRUE(progress.ok());
    blocks = progress->day_blocks;
    EXPECT_LE(blocks, 1u);
    EXPECT_EQ(maintenance.Downsample(FromMillis(now))->day_blocks, 0u);
    EXPECT_GE(Values(now - 30 * 24 * kHour, now, 250).size(), 20u * 6 + 10u * 24);
    ASSERT_TRUE(maintenance.Expire(FromMillis(now)).ok());
  }
  std::vector<std::int64_t> left = Values(0, now, 250);
  ASSERT_EQ(left.size(), 20u * 6 + 10u * 24);
  // Day 10, the first two hours: 1000, 1001, 1002, 1003.
  EXPECT_EQ(left[0], 1002);  // 1001.5, rounded
  EXPECT_EQ(left[1], 1006);
  EXPECT_EQ(left[20 * 6], 3000);
  EXPECT_FALSE(maintenance.Downsample(FromMillis(now))->day_blocks);
  // A day later one day more is coarse, and the oldest one gone.
  now += 24 * kHour;
  ASSERT_TRUE(maintenance.Downsample(FromMillis(now)).ok());
  ASSERT_TRUE(maintenance.Expire(FromMillis(now)).ok());
  EXPECT_EQ(Values(0, now, 250).size(), 20u * 6 + 9u * 24);
}

TEST_F(ServicesTest, EventsComeNewestFirstAndGoOnBehindAKey) {
  store::Batch batch;
  std::vector<EventKey> keys;
  for (std::uint64_t i = 0; i < 10; ++i) {
    keys.push_back({FromMillis(kMidnight + static_cast<std::int64_t>(i / 2)), {7, i}, model::ViolationEventType::kAlarmCleared});
    PutEvent(batch, keys.back(), TestEntity(i % 2), std::to_string(i));
    PutEvent(batch, keys.back(), TestEntity(i % 2), std::to_string(i));  // replay
  }
  PutActive(batch, {1, 1}, "on");
  ASSERT_TRUE(store_->Write(batch).ok());
  std::vector<EventKey> found;
  std::optional<EventKey> before;
  for (;;) {
    std::size_t size = found.size();
    ASSERT_TRUE(ScanEvents(*store_, FromMillis(kMidnight), FromMillis(kMidnight + 4), before, {}, [&](const EventKey& key, auto) {
      found.push_back(key);
      return found.size() < size + 3;
    }).ok());
    if (found.size() == size) break;
    before = found.back();
  }
  std::reverse(found.begin(), found.end());
  EXPECT_EQ(found, keys);
  EXPECT_EQ(GetActive(*store_, {1, 1}).value(), "on");
}

TEST_F(ServicesTest, EventsOfManyBatchesExpireFromBothOrdersAndNothingElse) {
  constexpr std::uint64_t kOld = 25'000, kNew = 3;
  const Timestamp before = FromMillis(1'700'000'000'000);
  store::Batch batch;
  for (std::uint64_t i = 0; i < kOld + kNew; ++i) {
    Timestamp time = i < kOld ? before - Millis(kOld - i) : before + Millis(i - kOld);
    PutEvent(batch, {time, {i, 1}, model::ViolationEventType::kInAlarm}, TestEntity(i % 7), "event");
  }
  PutActive(batch, {5, 5}, "active");
  ASSERT_TRUE(store_->Write(batch).ok());
  auto count = [&](const std::optional<model::EntityId>& entity) {
    std::uint64_t events = 0;
    EXPECT_TRUE(ScanEvents(*store_, before - std::chrono::hours(24), before + std::chrono::hours(24), {}, entity,
                           [&](const EventKey&, std::string_view) { return ++events, true; }).ok());
    return events;
  };
  ASSERT_EQ(count({}), kOld + kNew);
  std::string from;
  for (std::uint64_t gone = 10'000; gone <= kOld; gone += 10'000) {
    ASSERT_TRUE(ExpireEvents(*store_, before, 10'000, from).ok());
    EXPECT_FALSE(from.empty());
    EXPECT_EQ(count({}), kOld - gone + kNew);
  }
  ASSERT_TRUE(ExpireEvents(*store_, before, 10'000, from).ok());
  EXPECT_EQ(count({}), kNew);
  std::uint64_t of_things = 0;
  for (std::uint64_t thing = 0; thing < 7; ++thing) of_things += count(TestEntity(thing));
  EXPECT_EQ(of_things, kNew);
  EXPECT_TRUE(GetActive(*store_, {5, 5}).value().has_value());
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(ExpireEvents(*store_, before, 10'000, from).ok());
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(count({}), kNew);
  }
}

TEST_F(ServicesTest, ConnectionsRoundTrip) {
  ConnectionEvent event;
  event.type = ConnectionEventType::kDisconnect;
  event.entity = TestEntity(3);
  event.time = FromMillis(kMidnight + 5000);
  event.certificate_id = std::string(64, 'a');
  event.client_id = "pump-1";
  event.address = model::IpAddress::Parse("192.0.2.7");
  event.port = 50000;
  event.reason = "KEEP_ALIVE";
  event.connected_at = FromMillis(kMidnight);
  ConnectionEvent bare;
  bare.type = ConnectionEventType::kRefused;
  bare.time = FromMillis(kMidnight + 1);
  bare.certificate_id = "not hex";
  bare.address = model::IpAddress::Parse("2001:db8::1");
  store::Batch batch;
  PutConnectionEvent(batch, event, 1);
  PutConnectionEvent(batch, event, 1);
  PutConnectionEvent(batch, bare, 2);
  ASSERT_TRUE(store_->Write(batch).ok());
  std::vector<ConnectionEvent> all;
  ASSERT_TRUE(ScanConnections(*store_, {}, FromMillis(kMidnight), FromMillis(kMidnight + kHour), [&](const ConnectionEvent& e) {
    all.push_back(e);
    return true;
  }).ok());
  EXPECT_EQ(all, (std::vector<ConnectionEvent>{bare, event}));
}

}  // namespace
}  // namespace fleetward::telemetry
