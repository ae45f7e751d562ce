#include "client_socket.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

namespace fleetward::plugin {

int SocketOf(const void* broker_client, std::string_view address) {
  int members[2];
  std::memcpy(members, broker_client, sizeof members);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (members[1] < 0 || ::getpeername(members[1], reinterpret_cast<sockaddr*>(&peer), &size) != 0) return -1;
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr, text, sizeof text);
  } else if (peer.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr, text, sizeof text);
  }
  return !address.empty() && address == text ? members[1] : -1;
}

bool TakesMore(int socket) {
  pollfd look{socket, POLLOUT, 0};
  return socket < 0 || ::poll(&look, 1, 0) != 0;
}

}  // namespace fleetward::plugin
