#include "network_delta.h"

#include <gtest/gtest.h>

namespace fleetward::agent {
namespace {

using Counters = std::vector<InterfaceCounters>;

TEST(NetworkDelta, FirstSampleHasNoDelta) {
  NetworkDelta delta;
  report::NetworkStats stats;
  EXPECT_EQ(delta.Advance({{"eth0", 5, 1, 7, 2}}, stats), DeltaGap::kFirstSample);
  EXPECT_FALSE(stats.any());
}

TEST(NetworkDelta, SumsAllInterfaces) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"lo", 100, 1, 100, 1}, {"eth0", 10, 2, 20, 3}}, stats);
  EXPECT_EQ(delta.Advance({{"eth0", 15, 4, 40, 6}, {"lo", 101, 2, 101, 2}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats, (report::NetworkStats{6, 21, 3, 4}));
}

TEST(NetworkDelta, WrapAndRebootAreMarkedOnce) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"eth0", 4294967290, 10, 10, 10}}, stats);
  EXPECT_EQ(delta.Advance({{"eth0", 4, 11, 11, 11}}, stats), DeltaGap::kCounterWentBack);
  EXPECT_FALSE(stats.any());
  EXPECT_EQ(delta.Advance({{"eth0", 9, 12, 12, 12}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats.bytes_in, 5);
}

TEST(NetworkDelta, OneCounterGoingBackSpoilsTheWholeReport) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"a", 1, 1, 1, 1}, {"b", 9, 9, 9, 9}}, stats);
  EXPECT_EQ(delta.Advance({{"a", 5, 5, 5, 5}, {"b", 9, 9, 9, 8}}, stats), DeltaGap::kCounterWentBack);
  EXPECT_FALSE(stats.any());
}

TEST(NetworkDelta, RemovedInterfaceIsMarked) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"lo", 1, 1, 1, 1}, {"veth1", 500, 5, 500, 5}}, stats);
  EXPECT_EQ(delta.Advance({{"lo", 2, 2, 2, 2}}, stats), DeltaGap::kInterfaceGone);
  EXPECT_FALSE(stats.any());
  EXPECT_EQ(delta.Advance({{"lo", 3, 3, 3, 3}}, stats), DeltaGap::kNone);
}

TEST(NetworkDelta, NewInterfaceCountsFromItsFirstSampleOn) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"lo", 1, 1, 1, 1}}, stats);
  EXPECT_EQ(delta.Advance({{"lo", 2, 2, 2, 2}, {"eth1", 1000000, 9, 9, 9}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats.bytes_in, 1);
  EXPECT_EQ(delta.Advance({{"lo", 2, 2, 2, 2}, {"eth1", 1000007, 9, 9, 9}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats.bytes_in, 7);
}

TEST(NetworkDelta, ExcludedInterfacesNeitherCountNorSpoil) {
  NetworkDelta delta({"lo", "veth*"});
  report::NetworkStats stats;
  delta.Advance({{"lo", 9, 9, 9, 9}, {"veth7", 9, 9, 9, 9}, {"eth0", 1, 1, 1, 1}}, stats);
  EXPECT_EQ(delta.Advance({{"lo", 0, 0, 0, 0}, {"eth0", 3, 1, 1, 1}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats, (report::NetworkStats{2, 0, 0, 0}));
}

TEST(NetworkDelta, RefusedReportIsAddedToTheNext) {
  NetworkDelta delta;
  report::NetworkStats first, second;
  delta.Advance({{"eth0", 0, 0, 0, 0}}, first);
  delta.Advance({{"eth0", 10, 1, 20, 2}}, first);
  delta.CarryOver(first);
  delta.Advance({{"eth0", 11, 2, 22, 4}}, second);
  EXPECT_EQ(second, (report::NetworkStats{11, 22, 2, 4}));
  delta.Advance({{"eth0", 11, 2, 22, 4}}, second);
  EXPECT_EQ(second, (report::NetworkStats{0, 0, 0, 0}));
}

TEST(NetworkDelta, UnreadableCountersMakeTheNextDeltaSpanTheHole) {
  NetworkDelta delta;
  report::NetworkStats stats;
  delta.Advance({{"eth0", 1, 1, 1, 1}}, stats);
  EXPECT_EQ(delta.Unreadable(stats), DeltaGap::kCountersUnreadable);
  EXPECT_FALSE(stats.any());
  EXPECT_EQ(delta.Advance({{"eth0", 9, 1, 1, 1}}, stats), DeltaGap::kNone);
  EXPECT_EQ(stats.bytes_in, 8);
}

}  // namespace
}  // namespace fleetward::agent
