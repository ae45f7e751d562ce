// Serves a fleet's reports as one Prometheus page: the things and values of fleet_bench, 15 metrics each, for
// bench/prometheus. Prints its port; each GET gives the next round's values. Ends with its standard input.
//
//   fleet_exporter --things N [--first N]
//
// What Prometheus cannot hold is made a number here: ports and addresses that a set forbids are counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fleet.h"

namespace fleetward::bench {
namespace {

constexpr std::array<const char*, 15> kNames = {
    "bytes_in", "bytes_out", "packets_in", "packets_out", "listening_tcp_ports", "listening_udp_ports",
    "established_connections", "cpu", "memory", "temperature", "battery", "forbidden_ports", "forbidden_destinations",
    "messages_sent", "minutes_offline"};
using Row = std::array<double, kNames.size()>;

/// The first octets of the networks that fleet_bench's behavior forbids: 203.0.113.0/24 and 198.51.100.0/24.
bool Forbidden(const model::IpAddress& address) {
  const auto& b = address.bytes;
  return (b[12] == 203 && b[13] == 0 && b[14] == 113) || (b[12] == 198 && b[13] == 51 && b[14] == 100);
}

Row RowOf(const report::MetricReport& r) {
  double ports = 0, destinations = 0;
  for (std::uint16_t port : r.tcp.ports) ports += port == 23 || port == 4444 || port == 6667;
  for (const auto& remote : r.connections.remotes) destinations += Forbidden(remote.address);
  return {static_cast<double>(*r.network.bytes_in), static_cast<double>(*r.network.bytes_out),
          static_cast<double>(*r.network.packets_in), static_cast<double>(*r.network.packets_out),
          static_cast<double>(*r.tcp.total), static_cast<double>(*r.udp.total), static_cast<double>(*r.connections.total),
          r.custom[0].number(), r.custom[1].number(), r.custom[2].number(), r.custom[3].number(), ports, destinations, 1, 0};
}

/// One metric after the other, as client libraries write it.
std::string Page(Fleet& fleet, std::uint64_t first, std::uint64_t things, std::uint64_t round) {
  std::vector<Row> rows;
  rows.reserve(things);
  for (std::uint64_t thing = first; thing < first + things; ++thing) rows.push_back(RowOf(fleet.Report(thing, round)));
  std::string page;
  char number[32];
  for (std::size_t metric = 0; metric < kNames.size(); ++metric) {
    page.append("# TYPE fleet_").append(kNames[metric]).append(" gauge\n");
    for (std::uint64_t i = 0; i < things; ++i) {
      page.append("fleet_").append(kNames[metric]).append("{thing=\"").append(Fleet::NameOf(first + i)).append("\"} ");
      auto end = std::to_chars(number, number + sizeof number, rows[i][metric]);
      page.append(number, end.ptr).push_back('\n');
    }
  }
  return page;
}

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

int Main(int argc, char** argv) {
  std::uint64_t things = 1000, first = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--things") == 0) things = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--first") == 0) first = std::strtoull(argv[i + 1], nullptr, 10);
  }
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("fleet_exporter");
    return 1;
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  Fleet fleet(1);
  for (std::uint64_t round = 0;; ++round) {
    std::string page = Page(fleet, first, things, round);   // before it is asked for, so that no scrape waits
    pollfd fds[2] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(fds, 2, -1) < 0) {
    }
    char request[8192];
    if (fds[1].revents != 0 && read(STDIN_FILENO, request, sizeof request) <= 0) return 0;
    if (fds[0].revents == 0) continue;
    int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    if (read(client, request, sizeof request) > 0) {
      WriteAll(client, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
                           std::to_string(page.size()) + "\r\nConnection: close\r\n\r\n");
      WriteAll(client, page);
    }
    close(client);
  }
}

}  // namespace
}  // namespace fleetward::bench

int main(int argc, char** argv) { return fleetward::bench::Main(argc, argv); }
