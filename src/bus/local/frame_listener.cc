#include "fleetward/bus/frame_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fleetward::bus {

struct FrameListener::Peer {
  /// Room for a frame that is there in part and a budget's worth behind it, never written to before it is used.
  explicit Peer(std::size_t budget)
      : in(std::make_unique_for_overwrite<char[]>(report::kMaxFrameBytes + budget + kFrameSlack)) {}

  EdgeConnection id = 0;
  Fd socket;
  std::unique_ptr<char[]> in;
  std::size_t consumed = 0;  // bytes that were handed out
  std::size_t received = 0;
  std::string out;           // what the socket did not take yet
  bool said_hello = false;
  bool broken = false;       // close at the next Poll
};

FrameListener::FrameListener(Options options) : options_(std::move(options)) {}

FrameListener::~FrameListener() {
  if (listen_.valid()) ::unlink(options_.path.c_str());
}

Result<std::unique_ptr<FrameListener>> FrameListener::Open(Options options) {
  std::unique_ptr<FrameListener> listener(new FrameListener(std::move(options)));
  FW_TRY(listener->Start());
  return listener;
}

Status FrameListener::Start() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.path.empty() || options_.path.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalidArgument, "socket path is empty or longer than 107 bytes: " + options_.path);
  }
  std::memcpy(address.sun_path, options_.path.data(), options_.path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError(errno, "opening a Unix socket");
  ::unlink(options_.path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoError(errno, "binding " + options_.path);
  }
  if (::chmod(options_.path.c_str(), 0600) != 0) return ErrnoError(errno, "setting the mode of " + options_.path);
  if (::listen(socket.get(), 64) != 0) return ErrnoError(errno, "listening on " + options_.path);
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_.valid()) return ErrnoError(errno, "making an eventfd");
  listen_ = std::move(socket);
  return {};
}

bool FrameListener::Allowed(int fd) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid() ||
         std::find(options_.allowed_uids.begin(), options_.allowed_uids.end(), peer.uid) !=
             options_.allowed_uids.end();
}

void FrameListener::AcceptAll() {
  for (;;) {
    Fd socket(::accept4(listen_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    if (peers_.size() >= options_.max_connections || !Allowed(socket.get())) continue;
    auto peer = std::make_unique<Peer>(options_.read_budget);
    peer->id = next_connection_++;
    peer->socket = std::move(socket);
    std::lock_guard lock(mutex_);
    peers_.emplace(peer->id, std::move(peer));
  }
}

Result<std::vector<EdgeBatch>> FrameListener::Poll(Millis timeout) {
  std::vector<pollfd> polled{{listen_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  std::vector<EdgeConnection> ids;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, peer] : peers_) {
      auto events = static_cast<short>(POLLIN | (peer->out.empty() ? 0 : POLLOUT));
      polled.push_back({peer->socket.get(), events, 0});
      ids.push_back(id);
    }
  }
  int ready = ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR) return ErrnoError(errno, "waiting for edges");
  std::vector<EdgeBatch> batches;
  if (ready <= 0) return batches;
  if (polled[1].revents != 0) {
    std::uint64_t ignored = 0;
    (void)!::read(wake_.get(), &ignored, sizeof ignored);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    short events = polled[i + 2].revents;
    if (events == 0) continue;
    Peer& peer = *peers_.at(ids[i]);
    if ((events & POLLOUT) != 0) {
      std::lock_guard lock(mutex_);
      Flush(peer);
    }
    EdgeBatch batch;
    batch.connection = ids[i];
    Receive(peer, batch);
    if (batch.hello || !batch.frames.empty() || batch.closed) batches.push_back(std::move(batch));
  }
  if (polled[0].revents != 0) AcceptAll();
  return batches;
}

/// Reads up to the budget. False when the peer is gone.
bool FrameListener::ReadSome(Peer& peer) {
  std::size_t left = peer.received - peer.consumed;  // a frame in part: below kMaxFrameBytes
  std::memmove(peer.in.get(), peer.in.get() + peer.consumed, left);
  peer.consumed = 0;
  peer.received = left;
  const std::size_t want = left + options_.read_budget;
  while (peer.received < want) {
    ssize_t got = ::recv(peer.socket.get(), peer.in.get() + peer.received, want - peer.received, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    peer.received += static_cast<std::size_t>(got);
  }
  return true;
}

void FrameListener::Receive(Peer& peer, EdgeBatch& batch) {
  if (peer.broken) {
    batch.closed = true;
    Drop(peer.id);
    return;
  }
  bool open = ReadSome(peer);
  std::string_view rest(peer.in.get(), peer.received);
  bool sane = true;
  while (sane) {
    auto taken = report::TakeFrame(rest);
    sane = taken.ok();
    if (!sane || !taken->has_value()) break;
    report::RawFrame& frame = **taken;
    frame.slack += kFrameSlack;
    if (!peer.said_hello) {
      auto hello = report::DecodeHello(frame.body);
      sane = frame.type == report::FrameType::kHello && hello.ok() &&
             hello->protocol_version == report::kFrameProtocolVersion;
      if (sane) batch.hello = *hello;
      peer.said_hello = true;
    } else {
      batch.frames.push_back(frame);
    }
  }
  peer.consumed = peer.received - rest.size();
  if (open && sane) return;
  if (batch.hello || !batch.frames.empty()) {
    // The batch's views live in peer.in: the end is told at the next Poll (a shut socket stays readable).
    std::lock_guard lock(mutex_);
    peer.broken = true;
    ::shutdown(peer.socket.get(), SHUT_RDWR);
    return;
  }
  batch.closed = true;
  Drop(peer.id);
}

void FrameListener::Drop(EdgeConnection connection) {
  std::lock_guard lock(mutex_);
  peers_.erase(connection);
}

void FrameListener::Flush(Peer& peer) {
  while (!peer.out.empty()) {
    ssize_t sent = ::send(peer.socket.get(), peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) peer.out.clear();  // the reading side reports the end
      return;
    }
    peer.out.erase(0, static_cast<std::size_t>(sent));
  }
}

void FrameListener::Send(EdgeConnection connection, const std::string& bytes) {
  std::lock_guard lock(mutex_);
  auto it = peers_.find(connection);
  if (it == peers_.end()) return;
  Peer& peer = *it->second;
  // A peer that never reads misses acknowledgements only: the next one says the same and more.
  if (peer.out.size() < 4096) peer.out += bytes;
  Flush(peer);
}

void FrameListener::Welcome(EdgeConnection connection, std::uint64_t acked_seq) {
  report::WelcomeFrame frame;
  frame.acked_seq = acked_seq;
  std::string bytes;
  report::EncodeFrame(frame, bytes);
  Send(connection, bytes);
}

void FrameListener::Ack(EdgeConnection connection, std::uint64_t acked_seq) {
  std::string bytes;
  report::EncodeFrame(report::AckFrame{acked_seq}, bytes);
  Send(connection, bytes);
}

void FrameListener::Wake() {
  std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

}  // namespace fleetward::bus
