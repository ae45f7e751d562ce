// Both collectors against real sockets of this process.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "collectors/netlink/netlink_collector.h"
#include "collectors/procfs/procfs_collector.h"
#include "fleetward/base/file.h"

namespace fleetward::agent {
namespace {

struct Bound {
  Fd fd;
  std::uint16_t port = 0;
};

Bound Bind(int family, int type) {
  Bound bound{Fd(socket(family, type, 0)), 0};
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* address = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = family == AF_INET6 ? sizeof v6 : sizeof v4;
  if (bind(bound.fd.get(), address, size) != 0) {
    bound.fd.Reset();
    return bound;
  }
  getsockname(bound.fd.get(), address, &size);
  bound.port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
  return bound;
}

Fd ConnectTo(int family, int type, std::uint16_t port) {
  Fd fd(socket(family, type, 0));
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  v6.sin6_port = htons(port);
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = htons(port);
  auto* address = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  if (connect(fd.get(), address, family == AF_INET6 ? sizeof v6 : sizeof v4) != 0) fd.Reset();
  return fd;
}

bool Has(const std::vector<std::uint16_t>& ports, std::uint16_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

std::size_t To(const SocketTable& table, std::uint16_t port) {
  return static_cast<std::size_t>(
      std::count_if(table.connections.begin(), table.connections.end(), [&](auto& c) { return c.port == port; }));
}

class RealSockets : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Collector> Make() {
    if (std::string_view(GetParam()) == "procfs") return std::make_unique<ProcfsCollector>("/proc/net");
    auto collector = NetlinkCollector::Open();
    if (!collector.ok()) return nullptr;
    return std::move(*collector);
  }
};

TEST_P(RealSockets, AreSeenAsWhatTheyAre) {
  auto collector = Make();
  if (!collector) GTEST_SKIP() << "no NETLINK_SOCK_DIAG here";
  for (int family : {AF_INET, AF_INET6}) {
    Bound listener = Bind(family, SOCK_STREAM);
    if (!listener.fd.valid()) continue;  // no IPv6
    SCOPED_TRACE(family);
    ASSERT_EQ(listen(listener.fd.get(), 64), 0);
    Bound only_bound = Bind(family, SOCK_STREAM);
    Bound udp = Bind(family, SOCK_DGRAM);
    Bound connected_udp = Bind(family, SOCK_DGRAM);
    Fd peer = ConnectTo(family, SOCK_DGRAM, udp.port);
    sockaddr_storage self{};
    socklen_t size = sizeof self;
    getsockname(peer.get(), reinterpret_cast<sockaddr*>(&self), &size);
    std::uint16_t client_port = ntohs(reinterpret_cast<sockaddr_in*>(&self)->sin_port);  // same offset in both
    std::vector<Fd> connections;
    for (int i = 0; i < 50; ++i) connections.push_back(ConnectTo(family, SOCK_STREAM, listener.port));

    SocketTable table;
    ASSERT_TRUE(collector->Sockets(table).ok());
    EXPECT_TRUE(Has(table.tcp_listening, listener.port));
    EXPECT_FALSE(Has(table.tcp_listening, only_bound.port));
    EXPECT_TRUE(Has(table.udp_listening, udp.port));
    EXPECT_TRUE(Has(table.udp_listening, connected_udp.port));
    EXPECT_FALSE(Has(table.udp_listening, client_port)) << "a UDP client does not listen";
    EXPECT_EQ(To(table, listener.port), 50u);
    EXPECT_GE(table.established, 100u) << "both ends are on this machine";
  }
}

INSTANTIATE_TEST_SUITE_P(Collectors, RealSockets, testing::Values("netlink", "procfs"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Collectors, SeeTheSameInterfaces) {
  auto netlink = NetlinkCollector::Open();
  if (!netlink.ok()) GTEST_SKIP() << "no NETLINK_SOCK_DIAG here";
  ProcfsCollector procfs("/proc/net");
  std::vector<InterfaceCounters> a, b;
  ASSERT_TRUE((*netlink)->Interfaces(a).ok());
  ASSERT_TRUE(procfs.Interfaces(b).ok());
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].name, b[i].name);
}

TEST(ProcfsCollectorTest, MissingFolderIsAnErrorMissingIpv6IsNot) {
  SocketTable table;
  EXPECT_EQ(ProcfsCollector("/nonexistent").Sockets(table).error().code(), Code::kNotFound);
}

std::string Message(std::uint16_t type, std::string body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = type;
  header.nlmsg_seq = 7;
  return std::string(reinterpret_cast<char*>(&header), sizeof header) + body;
}

TEST(ParseDiagMessages, HostileMessagesAreErrorsNotCrashes) {
  SocketTable table;
  EXPECT_TRUE(*ParseDiagMessages(Message(NLMSG_DONE, {}), false, 7, table));
  EXPECT_FALSE(*ParseDiagMessages(Message(NLMSG_DONE, {}), false, 8, table)) << "another dump's answer";
  EXPECT_FALSE(*ParseDiagMessages({}, false, 7, table));
  EXPECT_FALSE(ParseDiagMessages(Message(NLMSG_ERROR, std::string(4, '\xfe')), false, 7, table).ok());
  EXPECT_FALSE(ParseDiagMessages(Message(NLMSG_ERROR, {}), false, 7, table).ok());
  EXPECT_FALSE(ParseDiagMessages(Message(20, std::string(10, 'x')), false, 7, table).ok());
  std::string longer = Message(20, std::string(sizeof(inet_diag_msg), 0));
  for (std::size_t size = sizeof(nlmsghdr); size < longer.size(); ++size) {
    EXPECT_FALSE(ParseDiagMessages(longer.substr(0, size), false, 7, table).ok());
  }
  std::uint32_t tiny = 3;
  std::memcpy(longer.data(), &tiny, 4);
  EXPECT_FALSE(ParseDiagMessages(longer, false, 7, table).ok());
}

}  // namespace
}  // namespace fleetward::agent
