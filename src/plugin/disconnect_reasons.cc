#include "disconnect_reasons.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fleetward::plugin {

Status DisconnectReasons::Open(const std::string& path) {
  if (path.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalidArgument, "socket path is longer than 107 bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "opening a Unix socket");
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoError(errno, "binding " + path);
  }
  if (::chmod(path.c_str(), 0600) != 0) return ErrnoError(errno, "setting the mode of " + path);
  socket_ = std::move(socket);
  return {};
}

void DisconnectReasons::Add(Ended ended, std::int64_t monotonic_ms, const Emit& emit) {
  bool known = ended.reason != report::DisconnectReason::kUnknown;
  if (known || !socket_.valid()) {
    emit(ended);
    if (!socket_.valid()) return;
    ended.told = true;
  }
  ended.deadline_ms = monotonic_ms + kWaitMs;
  waiting_.push_back(std::move(ended));
}

void DisconnectReasons::Learn(std::string_view client_id, report::DisconnectReason reason, const Emit& emit) {
  auto it = std::find_if(waiting_.begin(), waiting_.end(),
                         [&](const Ended& ended) { return ended.client_id == client_id; });
  if (it == waiting_.end()) return;
  if (!it->told) {
    it->reason = reason;
    emit(*it);
  }
  waiting_.erase(it);
}

void DisconnectReasons::Poll(std::int64_t monotonic_ms, const Emit& emit) {
  if (!socket_.valid() || (waiting_.empty() && monotonic_ms < next_drain_ms_)) return;
  next_drain_ms_ = monotonic_ms + 1000;
  char buffer[16384];
  for (;;) {
    ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 1) break;
    report::ForEachReason(std::string_view(buffer, static_cast<std::size_t>(size)),
                          [&](std::string_view id, report::DisconnectReason reason) { Learn(id, reason, emit); });
  }
  while (!waiting_.empty() && waiting_.front().deadline_ms <= monotonic_ms) {
    if (!waiting_.front().told) emit(waiting_.front());
    waiting_.pop_front();
  }
}

std::int64_t DisconnectReasons::OldestMs(std::int64_t otherwise) const {
  for (const Ended& ended : waiting_) {
    if (!ended.told) return std::min(otherwise, ended.event_time_ms);
  }
  return otherwise;
}

}  // namespace fleetward::plugin
