#include "list_sample.h"

#include <gtest/gtest.h>

#include <set>

namespace fleetward::agent {
namespace {

report::RemoteEndpoint Remote(std::uint8_t host, std::uint16_t port) {
  report::RemoteEndpoint remote;
  remote.address.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, host};
  remote.port = port;
  return remote;
}

TEST(ListSampler, ShortListsStayAsTheyAre) {
  ListSampler sampler(1);
  std::vector<std::uint16_t> ports{80, 22, 80};
  sampler.Ports(ports, 3);
  EXPECT_EQ(ports, (std::vector<std::uint16_t>{80, 22, 80}));
  std::vector<report::RemoteEndpoint> connections{Remote(1, 1), Remote(1, 1)};
  sampler.Connections(connections, 2);
  EXPECT_EQ(connections.size(), 2u);
}

TEST(ListSampler, LongListsLoseDuplicatesBeforeAddresses) {
  ListSampler sampler(1);
  std::vector<report::RemoteEndpoint> connections;
  for (int i = 0; i < 10000; ++i) connections.push_back(Remote(static_cast<std::uint8_t>(i % 50), 443));
  connections.push_back(Remote(200, 4444));  // the one that matters
  sampler.Connections(connections, 51);
  std::set<report::RemoteEndpoint> distinct(connections.begin(), connections.end());
  EXPECT_EQ(distinct.size(), 51u);
  EXPECT_TRUE(distinct.count(Remote(200, 4444)));
}

TEST(ListSampler, PicksEveryEntryEquallyOften) {
  ListSampler sampler(7);
  std::vector<int> hits(100);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint16_t> ports;
    for (std::uint16_t p = 0; p < 100; ++p) ports.push_back(p);
    sampler.Ports(ports, 10);
    ASSERT_EQ(ports.size(), 10u);
    ASSERT_EQ(std::set<std::uint16_t>(ports.begin(), ports.end()).size(), 10u);
    for (std::uint16_t p : ports) ++hits[p];
  }
  for (int count : hits) EXPECT_NEAR(count, 200, 80);  // 6 standard deviations
}

TEST(ListSampler, LimitZeroKeepsNothing) {
  ListSampler sampler(1);
  std::vector<std::uint16_t> ports{1, 2};
  sampler.Ports(ports, 0);
  EXPECT_TRUE(ports.empty());
}

}  // namespace
}  // namespace fleetward::agent
