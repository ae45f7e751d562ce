#include "collectors/netlink/netlink_collector.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "collectors/procfs/proc_net.h"

namespace fleetward::agent {
namespace {

constexpr unsigned kEstablished = 1, kClose = 7, kListen = 10;  // the kernel's TCP states
constexpr std::uint32_t kTcpStates = 1u << kEstablished | 1u << kListen;
constexpr std::uint32_t kUdpStates = 1u << kClose;  // bound and unconnected
constexpr std::size_t kBuffer = 64 * 1024;          // the kernel fills at most 32 KiB a datagram

struct CompatRequest {
  nlmsghdr header;
  inet_diag_req request;
};
struct Request {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

model::IpAddress ToAddress(std::uint8_t family, const __be32* words) {
  model::IpAddress address;
  if (family == AF_INET) {
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, words, 4);
  } else {
    std::memcpy(address.bytes.data(), words, 16);
  }
  return address;
}

void AddSocket(const inet_diag_msg& socket, bool udp, SocketTable& table) {
  std::uint16_t local_port = ntohs(socket.id.idiag_sport);
  if (udp) {
    SocketTable::AddPort(table.udp_listening, local_port);
  } else if (socket.idiag_state == kListen) {
    SocketTable::AddPort(table.tcp_listening, local_port);
  } else if (socket.idiag_state == kEstablished) {
    table.AddConnection({ToAddress(socket.idiag_family, socket.id.idiag_dst), ntohs(socket.id.idiag_dport)});
  }
}

}  // namespace

Result<bool> ParseDiagMessages(std::string_view bytes, bool udp, std::uint32_t sequence, SocketTable& table) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) {
      return Error(Code::kCorrupt, "a sock_diag message has an impossible length");
    }
    std::string_view body = bytes.substr(sizeof header, header.nlmsg_len - sizeof header);
    if (header.nlmsg_seq == sequence) {  // else an answer to a dump that was given up
      if (header.nlmsg_type == NLMSG_DONE) return true;
      if (header.nlmsg_type == NLMSG_ERROR) {
        int error = EPROTO;
        if (body.size() >= sizeof error) std::memcpy(&error, body.data(), sizeof error);
        return ErrnoError(error < 0 && error > -4096 ? -error : EPROTO, "sock_diag");  // the kernel's own bound
      }
      if (header.nlmsg_type >= NLMSG_MIN_TYPE) {
        if (body.size() < sizeof(inet_diag_msg)) return Error(Code::kCorrupt, "a sock_diag message is too short");
        inet_diag_msg socket;
        std::memcpy(&socket, body.data(), sizeof socket);
        AddSocket(socket, udp, table);
      }
    }
    std::size_t step = NLMSG_ALIGN(header.nlmsg_len);
    bytes.remove_prefix(step < bytes.size() ? step : bytes.size());
  }
  return false;
}

NetlinkCollector::NetlinkCollector(Fd socket)
    : socket_(std::move(socket)), dev_("/proc/net/dev", /*keep_open=*/true), buffer_(kBuffer) {}

Result<std::unique_ptr<NetlinkCollector>> NetlinkCollector::Open() {
  Fd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.valid()) return ErrnoError(errno, "opening NETLINK_SOCK_DIAG");
  timeval patience{5, 0};  // a dump answers at once; a lost answer must not hang the agent
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::unique_ptr<NetlinkCollector> collector(new NetlinkCollector(std::move(socket)));
  SocketTable probe;
  FW_TRY(collector->Sockets(probe));
  return collector;
}

Status NetlinkCollector::Dump(const void* request, std::size_t size, SocketTable& table, bool udp) {
  if (send(socket_.get(), request, size, 0) < 0) return ErrnoError(errno, "asking sock_diag");
  for (;;) {
    ssize_t got = recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return ErrnoError(got == 0 ? EPROTO : errno, "reading sock_diag");
    if (static_cast<std::size_t>(got) > buffer_.size()) return Error(Code::kIo, "a sock_diag datagram was cut off");
    FW_ASSIGN(bool done, ParseDiagMessages({buffer_.data(), static_cast<std::size_t>(got)}, udp, sequence_, table));
    if (done) return {};
  }
}

Status NetlinkCollector::Udp(std::uint8_t family, SocketTable& table) {
  Request message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.header.nlmsg_seq = ++sequence_;
  message.request.sdiag_family = family;
  message.request.sdiag_protocol = IPPROTO_UDP;
  message.request.idiag_states = kUdpStates;
  // A kernel without udp_diag says ENOENT: the agent then falls back to /proc.
  return Dump(&message, sizeof message, table, true);
}

Status NetlinkCollector::Sockets(SocketTable& table) {
  // The older request type walks the TCP hash once for IPv4 and IPv6 together; with the newer one each family costs a
  // walk, and on a busy machine the walk is what a collection costs.
  CompatRequest message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = TCPDIAG_GETSOCK;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.header.nlmsg_seq = ++sequence_;
  message.request.idiag_family = AF_INET;
  message.request.idiag_states = kTcpStates;
  FW_TRY(Dump(&message, sizeof message, table, false));
  FW_TRY(Udp(AF_INET, table));
  return Udp(AF_INET6, table);
}

Status NetlinkCollector::Interfaces(std::vector<InterfaceCounters>& interfaces) {
  FW_ASSIGN(std::string_view text, dev_.Read());
  return ParseNetDev(text, interfaces);
}

}  // namespace fleetward::agent
