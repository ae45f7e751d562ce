#include "reason_relay.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "fleetward/report/reason_lines.h"

namespace fleetward::supervise {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr std::size_t kMaxDatagram = 8192;

}  // namespace

ReasonRelay::ReasonRelay(std::string socket_path, LineSink sink)
    : path_(std::move(socket_path)),
      sink_(std::move(sink)),
      socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}

void ReasonRelay::Take(std::string_view output) {
  for (;;) {
    std::size_t end = output.find('\n');
    part_.append(output.substr(0, end));
    if (part_.size() > kMaxLine) part_.clear();  // no line of the broker is that long: the reason stays UNKNOWN
    if (end == std::string_view::npos) break;
    output.remove_prefix(end + 1);
    if (auto reason = report::ParseReasonLine(part_)) {
      report::AppendReason(reason->client_id, reason->reason, datagram_);
      if (datagram_.size() > kMaxDatagram) Send();
    }
    if (sink_ && !part_.empty()) sink_(part_);
    part_.clear();
  }
  Send();
}

/// A datagram that the plugin's queue does not take is lost: those reasons stay UNKNOWN.
void ReasonRelay::Send() {
  if (datagram_.empty()) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() < sizeof address.sun_path) {
    std::memcpy(address.sun_path, path_.data(), path_.size());
    (void)!::sendto(socket_.get(), datagram_.data(), datagram_.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  datagram_.clear();
}

}  // namespace fleetward::supervise
