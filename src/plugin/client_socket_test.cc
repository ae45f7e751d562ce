#include "client_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace fleetward::plugin {
namespace {

/// A connection over loopback; `accepted` is the broker's end.
struct Pair {
  Pair() {
    int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    peer = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(peer, reinterpret_cast<sockaddr*>(&address), size), 0);
    accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    ::close(listener);
  }
  ~Pair() {
    ::close(peer);
    ::close(accepted);
  }
  int peer = -1, accepted = -1;
};

TEST(ClientSocketTest, IsBelievedOnlyWithTheAddressThatTheBrokerNames) {
  Pair pair;
  int client[2] = {7, pair.accepted};
  EXPECT_EQ(SocketOf(client, "127.0.0.1"), pair.accepted);
  EXPECT_EQ(SocketOf(client, "127.0.0.2"), -1);
  EXPECT_EQ(SocketOf(client, ""), -1);
  client[1] = -1;
  EXPECT_EQ(SocketOf(client, "127.0.0.1"), -1);
  client[1] = STDIN_FILENO;
  EXPECT_EQ(SocketOf(client, "127.0.0.1"), -1);
}

TEST(ClientSocketTest, AFullBufferTakesNoMore) {
  Pair pair;
  EXPECT_TRUE(TakesMore(pair.accepted));
  EXPECT_TRUE(TakesMore(-1));
  std::string bytes(1 << 16, 'x');
  while (::send(pair.accepted, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
  }
  EXPECT_FALSE(TakesMore(pair.accepted));
}

}  // namespace
}  // namespace fleetward::plugin
