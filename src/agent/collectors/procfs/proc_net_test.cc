#include "collectors/procfs/proc_net.h"

#include <gtest/gtest.h>

namespace fleetward::agent {
namespace {

constexpr char kTcp[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
    "   1: 0A00000A:D2F0 010200C0:01BB 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1\n"
    "   2: 0A00000A:D2F1 010200C0:01BB 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0\n";
constexpr char kTcp6[] =
    "  sl  local_address                         remote_address                        st\n"
    "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000\n"
    "   1: 00000000000000000000000001000000:0016 B80D0120000000000000000001000000:E000 01 00000000:00000000\n"
    "   2: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000100007F:E001 01 00000000:00000000\n";
constexpr char kUdp[] =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "  100: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n"
    "  101: 0100007F:9C40 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0\n";

TEST(ParseSocketTable, ReadsListenersAndConnectionsOfBothFamilies) {
  SocketTable table;
  EXPECT_EQ(ParseSocketTable(kTcp, SocketKind::kTcp, table), 0u);
  EXPECT_EQ(ParseSocketTable(kTcp6, SocketKind::kTcp, table), 0u);
  EXPECT_EQ(table.tcp_listening, (std::vector<std::uint16_t>{8080, 22}));
  ASSERT_EQ(table.established, 3u);
  EXPECT_EQ(table.connections[0].address.ToString(), "192.0.2.1");
  EXPECT_EQ(table.connections[0].port, 443);
  EXPECT_EQ(table.connections[1].address.ToString(), "2001:db8::1");
  EXPECT_EQ(table.connections[1].port, 0xE000);
  EXPECT_EQ(table.connections[2].address.ToString(), "127.0.0.1");
}

TEST(ParseSocketTable, ConnectedUdpDoesNotListen) {
  SocketTable table;
  EXPECT_EQ(ParseSocketTable(kUdp, SocketKind::kUdp, table), 0u);
  EXPECT_EQ(table.udp_listening, std::vector<std::uint16_t>{68});
}

TEST(ParseSocketTable, EveryTruncationIsSurvived) {
  for (std::string_view text : {std::string_view(kTcp), std::string_view(kTcp6), std::string_view(kUdp)}) {
    for (std::size_t size = 0; size <= text.size(); ++size) {
      SocketTable table;
      ParseSocketTable(text.substr(0, size), SocketKind::kTcp, table);
      EXPECT_LE(table.established + table.tcp_listening.size(), 4u);
    }
  }
}

TEST(ParseSocketTable, HostileLinesAreCountedAndSkipped) {
  SocketTable table;
  EXPECT_EQ(ParseSocketTable("head\n::::\n 0: XYZ\n 0: 0100007F:FFFFF 00000000:0000 0A\n"
                             " 0: 0100007G:1F90 00000000:0000 0A\n 0: 01:1F90 00000000:0000 0A\n\n",
                             SocketKind::kTcp, table),
            5u);
  EXPECT_TRUE(table.tcp_listening.empty());
}

TEST(SocketTable, ConnectionsBeyondTheBoundAreOnlyCounted) {
  SocketTable table;
  for (std::size_t i = 0; i < kMaxKeptConnections + 10; ++i) table.AddConnection({});
  EXPECT_EQ(table.connections.size(), kMaxKeptConnections);
  EXPECT_EQ(table.established, kMaxKeptConnections + 10);
}

constexpr char kDev[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier\n"
    "    lo: 1000      10    0    0    0     0          0         0     2000      20    0    0    0     0       0 0\n"
    "eth0:1: 18446744073709551615 1 0 0 0 0 0 0 5 6 0 0 0 0 0 0\n"
    "  bad0: 1 2 3\n";

TEST(ParseNetDev, ReadsFullWidthCountersAndOddNames) {
  std::vector<InterfaceCounters> interfaces(7);
  ASSERT_TRUE(ParseNetDev(kDev, interfaces).ok());
  ASSERT_EQ(interfaces.size(), 2u);
  EXPECT_EQ(interfaces[0], (InterfaceCounters{"lo", 1000, 10, 2000, 20}));
  EXPECT_EQ(interfaces[1], (InterfaceCounters{"eth0:1", 18446744073709551615u, 1, 5, 6}));
}

TEST(ParseNetDev, NothingReadableIsAnError) {
  std::vector<InterfaceCounters> interfaces;
  EXPECT_EQ(ParseNetDev("", interfaces).error().code(), Code::kCorrupt);
  EXPECT_EQ(ParseNetDev(":::\n:1 2\n", interfaces).error().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace fleetward::agent
