#include "event_clock.h"

#include <gtest/gtest.h>

namespace fleetward::plugin {
namespace {

/// Wall clock and monotonic clock apart.
class TwoClocks : public Clock {
 public:
  Timestamp Now() const override { return FromMillis(wall); }
  std::int64_t MonotonicMillis() const override { return monotonic; }
  void Pass(std::int64_t ms) {
    wall += ms;
    monotonic += ms;
  }
  std::int64_t wall = 1'000'000'000'000;
  std::int64_t monotonic = 5000;
};

TEST(EventClockTest, AStepIsReportedOnceAndFollowed) {
  TwoClocks source;
  EventClock clock(source);
  source.Pass(1000);
  EXPECT_EQ(clock.Adjust(), 0);
  source.wall += 600'000;
  EXPECT_EQ(clock.NowMs(), 1'000'000'001'000) << "events keep their order until the step is marked";
  EXPECT_EQ(clock.Adjust(), 600'000);
  EXPECT_EQ(clock.NowMs(), source.wall);
  EXPECT_EQ(clock.Adjust(), 0);
  source.wall -= 1'200'000;
  EXPECT_EQ(clock.Adjust(), -1'200'000);
  EXPECT_EQ(clock.NowMs(), source.wall);
}

TEST(EventClockTest, SlewingIsFollowedSlowlyAndNeverBackwards) {
  TwoClocks source;
  EventClock clock(source);
  source.wall -= 500;
  std::int64_t before = clock.NowMs();
  for (int i = 0; i < 50; ++i) {
    source.Pass(1000);
    EXPECT_EQ(clock.Adjust(), 0);
    EXPECT_GT(clock.NowMs(), before);
    before = clock.NowMs();
  }
  EXPECT_EQ(clock.NowMs(), source.wall);
}

}  // namespace
}  // namespace fleetward::plugin
