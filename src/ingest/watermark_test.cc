#include "watermark.h"

#include <gtest/gtest.h>

namespace fleetward::ingest {
namespace {

constexpr std::int64_t kStart = 1'767'225'600'000;
constexpr std::int64_t kPoll = 250;
constexpr bus::EdgeConnection kFirst = 1, kSecond = 2;

class WatermarkTest : public testing::Test {
 protected:
  WatermarkTest() { watermark_.Start(kStart); }

  /// An edge tells its clock, in ms after kStart.
  void Clock(bus::EdgeConnection edge, std::int64_t ms, std::int64_t step_ms = 0) {
    watermark_.Hear(edge, kStart + ms, step_ms);
  }
  /// Where a round without a wait moves it to, in ms after kStart; -1: it does not move.
  std::int64_t Moved() {
    auto moved = watermark_.Advance(0, now_ms_);
    return moved ? *moved - kStart : -1;
  }
  /// Rounds without any frame; the last place it moved to in them.
  std::int64_t Idle(std::int64_t ms) {
    std::int64_t last = -1;
    for (; ms > 0; ms -= kPoll) {
      now_ms_ += kPoll;
      if (auto moved = watermark_.Advance(kPoll, now_ms_)) last = *moved - kStart;
    }
    return last;
  }
  std::int64_t At() const { return watermark_.ms() - kStart; }

  Watermark watermark_;
  std::int64_t now_ms_ = kStart;  // the server's wall clock
};

TEST_F(WatermarkTest, FollowsTheClockOfTheOneEdge) {
  watermark_.Join(kFirst);
  Clock(kFirst, 1000);
  EXPECT_EQ(Moved(), 1000);
  EXPECT_EQ(Moved(), -1) << "said once";
  Clock(kFirst, 2000);
  EXPECT_EQ(Moved(), 2000);
  Clock(kFirst, 1500);
  EXPECT_EQ(Moved(), -1) << "never back by itself";
  EXPECT_EQ(At(), 2000);
  Clock(kFirst, 3000);
  watermark_.Hear(kFirst, 0, 0);
  EXPECT_EQ(Moved(), 3000) << "a frame behind the clock does not hide it";
}

TEST_F(WatermarkTest, FramesOfBeforeTheFirstClockHoldItBack) {
  watermark_.Join(kFirst);
  now_ms_ = kStart + 600'000;            // the server's clock is of no interest while an edge is there
  watermark_.Hear(kFirst, 0, 0);         // a report from the time when no server was there
  EXPECT_EQ(Moved(), -1);
  EXPECT_EQ(Idle(Watermark::kSilentMs - kPoll), -1);
  Clock(kFirst, 590'000);
  EXPECT_EQ(Moved(), 590'000);
}

TEST_F(WatermarkTest, IsTheLeastOfSeveralEdges) {
  watermark_.Join(kFirst);
  Clock(kFirst, 3000);
  EXPECT_EQ(Moved(), 3000);
  watermark_.Join(kSecond);
  Clock(kFirst, 4000);
  EXPECT_EQ(Moved(), -1) << "the second one's clock is not known";
  Clock(kSecond, 3500);
  EXPECT_EQ(Moved(), 3500);
  Clock(kSecond, 9000);
  EXPECT_EQ(Moved(), 4000);
  watermark_.Leave(kFirst);
  EXPECT_EQ(Moved(), 9000);
}

TEST_F(WatermarkTest, ReconnectedEdgeIsNotLateBeforeItHasSaidItsClock) {
  watermark_.Join(kFirst);
  Clock(kFirst, 3000);
  EXPECT_EQ(Moved(), 3000);
  watermark_.Join(kFirst);
  EXPECT_EQ(Moved(), -1);
  watermark_.Join(kSecond);
  Clock(kSecond, 8000);
  EXPECT_EQ(Moved(), -1);
  Clock(kFirst, 7000);
  EXPECT_EQ(Moved(), 7000);
}

TEST_F(WatermarkTest, EdgeSilentForFiveSecondsIsLeftOutAndComesBack) {
  watermark_.Join(kFirst);
  watermark_.Join(kSecond);
  Clock(kFirst, 1000);
  Clock(kSecond, 1000);
  EXPECT_EQ(Moved(), 1000);
  for (std::int64_t second = 2; second <= 5; ++second) {  // the first one says nothing any more
    Idle(1000);
    Clock(kSecond, second * 1000);
    EXPECT_EQ(Moved(), -1) << second;
  }
  Idle(1000);
  Clock(kSecond, 6000);
  EXPECT_EQ(Moved(), 6000);
  Clock(kFirst, 5000);
  Clock(kSecond, 7000);
  EXPECT_EQ(Moved(), -1) << "its clock counts again, and nothing goes back";
  Clock(kFirst, 6500);
  EXPECT_EQ(Moved(), 6500);
}

// While another one sends all the time, no round waits in vain as a whole.
TEST_F(WatermarkTest, EdgeSilentBesideABusyOneIsLeftOut) {
  watermark_.Join(kFirst);
  watermark_.Join(kSecond);
  Clock(kFirst, 1000);
  Clock(kSecond, 1000);
  EXPECT_EQ(Moved(), 1000);
  for (std::int64_t ms = 1010; ms < 6000; ms += 10) {
    Clock(kSecond, ms);
    ASSERT_EQ(watermark_.Advance(10, now_ms_), std::nullopt) << ms;
  }
  Clock(kSecond, 6000);
  EXPECT_EQ(watermark_.Advance(10, now_ms_), kStart + 6000);
}

// A server that was stopped for an hour, or that works long on a round, has not waited for anybody.
TEST_F(WatermarkTest, SilenceIsTimeWaitedNotTimePassed) {
  watermark_.Join(kFirst);
  watermark_.Join(kSecond);
  Clock(kFirst, 1000);
  Clock(kSecond, 9000);
  EXPECT_EQ(Moved(), 1000);
  now_ms_ += 3'600'000;
  EXPECT_EQ(Idle(kPoll), -1);
  EXPECT_EQ(At(), 1000);
}

TEST_F(WatermarkTest, WithoutAnEdgeTheServersClockCountsAfterFiveSeconds) {
  now_ms_ = kStart + 100'000;
  EXPECT_EQ(Idle(Watermark::kSilentMs - kPoll), -1) << "the broker may just be starting";
  EXPECT_EQ(Idle(kPoll), 105'000);
  EXPECT_EQ(Idle(1000 - kPoll), -1) << "a record a second is enough";
  EXPECT_EQ(Idle(kPoll), 106'000);
  watermark_.Join(kFirst);
  EXPECT_EQ(Idle(1000), -1);
  Clock(kFirst, 108'000);
  EXPECT_EQ(Moved(), 108'000);
  watermark_.Leave(kFirst);
  now_ms_ = kStart + 200'000;
  EXPECT_EQ(Idle(Watermark::kSilentMs - kPoll), -1) << "waited for anew";
  EXPECT_EQ(Idle(kPoll), 205'000);
}

TEST_F(WatermarkTest, ServersClockBehindTheWatermarkMovesNothing) {
  now_ms_ = kStart - 60'000;
  EXPECT_EQ(Idle(60'000), -1);
  EXPECT_EQ(Idle(1000), 1000);
}

TEST_F(WatermarkTest, ClockStepsOfTheEdgeShiftIt) {
  watermark_.Join(kFirst);
  Clock(kFirst, 1000);
  EXPECT_EQ(Moved(), 1000);
  Clock(kFirst, 602'000, 600'000);
  EXPECT_EQ(At(), 601'000);
  EXPECT_EQ(Moved(), 602'000) << "a second has passed, not ten minutes";
  Clock(kFirst, 3000, -600'000);
  EXPECT_EQ(At(), 2000);
  EXPECT_EQ(Moved(), 3000) << "a clock that was put back does not stand still for ten minutes";
  Clock(kFirst, 4000);
  EXPECT_EQ(Moved(), 4000);
}

TEST_F(WatermarkTest, ANewPluginsClockWellBehindItWasPutBackUnlessALiveEdgeKnowsBetter) {
  watermark_.Join(kFirst);
  Clock(kFirst, 3'600'000);
  EXPECT_EQ(Moved(), 3'600'000);
  EXPECT_EQ(watermark_.PutBack(kStart), std::nullopt) << "the other one's broker is on this machine";
  Idle(Watermark::kSilentMs);
  EXPECT_EQ(watermark_.PutBack(kStart + 3'600'000 - Watermark::kPutBackMs + 1), std::nullopt);
  EXPECT_EQ(watermark_.PutBack(kStart + 7'200'000), std::nullopt) << "time has passed";
  EXPECT_EQ(At(), 3'600'000);
  EXPECT_EQ(watermark_.PutBack(kStart + 600'000), -3'000'000);
  EXPECT_EQ(At(), 600'000);
  watermark_.Join(kSecond);
  Clock(kSecond, 601'000);
  EXPECT_EQ(Moved(), 601'000);
}

TEST_F(WatermarkTest, TheFirstPluginOfALogPutsNothingBack) {
  watermark_.Start(0);
  EXPECT_EQ(watermark_.PutBack(kStart), std::nullopt);
}

}  // namespace
}  // namespace fleetward::ingest
