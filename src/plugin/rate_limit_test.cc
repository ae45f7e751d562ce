#include "rate_limit.h"

#include <gtest/gtest.h>

namespace fleetward::plugin {
namespace {

TEST(RateLimitTest, OneSecondsWorthThenTheRate) {
  RateLimit rate(100);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += rate.Take(50000) ? 1 : 0;
  EXPECT_EQ(taken, 100);
  taken = 0;
  for (int ms = 1; ms <= 1000; ++ms) taken += rate.Take(50000 + ms) ? 1 : 0;
  EXPECT_EQ(taken, 100);
}

TEST(RateLimitTest, ZeroIsNoLimit) {
  RateLimit rate(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rate.Take(0));
}

}  // namespace
}  // namespace fleetward::plugin
