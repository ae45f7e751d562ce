#include "fleetward/bus/frame_sender.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fleetward::bus {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;
constexpr std::int64_t kReadEveryMs = 20;
constexpr std::size_t kEventBytes = 1024;

}  // namespace

FrameSender::FrameSender(Options options) : options_(std::move(options)) {}

/// A chunk with room for about `size_hint` more bytes; chunks are freed whole as acknowledgements come, but for one,
/// whose memory is in place already.
FrameSender::Chunk& FrameSender::Room(std::size_t size_hint) {
  if (chunks_.empty() || chunks_.back().bytes.size() + size_hint > kChunkBytes) {
    Chunk chunk;
    chunk.bytes = std::exchange(spare_, {});
    chunk.bytes.reserve(std::max(size_hint, kChunkBytes));
    chunk.first_seq = next_seq_;
    chunk.last_seq = next_seq_ - 1;
    chunks_.push_back(std::move(chunk));
  }
  return chunks_.back();
}

template <class F>
bool FrameSender::Append(const F& frame, std::size_t size_hint, std::size_t limit) {
  if (bytes_ + size_hint > limit) return false;
  Chunk& chunk = Room(size_hint);
  std::size_t before = chunk.bytes.size();
  report::EncodeFrame(next_seq_, frame, chunk.bytes);
  bytes_ += chunk.bytes.size() - before;
  chunk.last_seq = next_seq_++;
  clock_offset_ = kNoClock;
  return true;
}

template <class F>
bool FrameSender::AddEvent(const F& frame) {
  if (Append(frame, kEventBytes, options_.max_bytes)) return true;
  ++lost_events_;
  return false;
}
template bool FrameSender::AddEvent(const report::ConnectedFrame&);
template bool FrameSender::AddEvent(const report::DisconnectedFrame&);
template bool FrameSender::AddEvent(const report::RefusedFrame&);
template bool FrameSender::AddEvent(const report::AppliedFrame&);

bool FrameSender::Add(const report::ReportFrame& frame) {
  std::size_t size = frame.payload.size() + frame.thing.size() + frame.client_id.size() + 128;
  if (Append(frame, size, options_.max_bytes)) return true;
  auto it = lost_reports_.find(frame.thing);
  if (it != lost_reports_.end()) {
    ++it->second;
  } else if (lost_reports_.size() < options_.max_dropped_things) {
    lost_reports_.emplace(frame.thing, 1);
  } else {
    ++lost_other_reports_;
  }
  return false;
}

bool FrameSender::Add(const report::CountersFrame& frame) {
  return Append(frame, frame.records.size() + 128, options_.max_bytes / 2);
}

template <class F>
bool FrameSender::AddOther(const F& frame, std::size_t bytes) {
  return Append(frame, bytes + 128, options_.max_bytes / 2);
}
template bool FrameSender::AddOther(const report::RetainedFrame&, std::size_t);
template bool FrameSender::AddOther(const report::DoneFrame&, std::size_t);

bool FrameSender::Add(const report::UnregisteredFrame& frame) {
  return AddOther(frame, frame.der.size() + frame.client_id.size());
}

void FrameSender::Add(const report::ClockFrame& frame) {
  if (clock_offset_ != kNoClock && frame.step_ms == 0) {
    Chunk& chunk = chunks_.back();
    bytes_ -= chunk.bytes.size() - clock_offset_;
    chunk.bytes.resize(clock_offset_);
    chunk.last_seq = --next_seq_ - 1;
  }
  std::size_t offset = Room(kFrameRoom).bytes.size();
  // Clocks may pass the limit: they replace each other, so an edge without a server adds one at most.
  Append(frame, kFrameRoom, static_cast<std::size_t>(-1));
  clock_offset_ = frame.step_ms == 0 ? offset : kNoClock;
}

void FrameSender::AddDropped(std::int64_t event_time_ms) {
  if (lost_counters_ + lost_events_ + lost_other_reports_ == 0 && lost_reports_.empty()) return;
  if (bytes_ > options_.max_bytes / 2) return;
  std::string entries;
  report::DroppedFrame frame;
  frame.event_time_ms = event_time_ms;
  frame.counter_records = lost_counters_;
  frame.events = lost_events_;
  frame.other_reports = lost_other_reports_;
  frame.count = static_cast<std::uint32_t>(lost_reports_.size());
  for (const auto& [thing, reports] : lost_reports_) report::AppendDropped({thing, reports}, entries);
  frame.entries = entries;
  Append(frame, entries.size() + kFrameRoom, static_cast<std::size_t>(-1));
  lost_counters_ = lost_events_ = lost_other_reports_ = 0;
  lost_reports_.clear();
}

bool FrameSender::HasUnsent() const {
  return send_chunk_ < chunks_.size() &&
         (send_chunk_ + 1 < chunks_.size() || send_offset_ < chunks_[send_chunk_].bytes.size());
}

void FrameSender::Pump(std::int64_t monotonic_ms, std::int64_t event_time_ms) {
  AddDropped(event_time_ms);
  if (!socket_.valid() && monotonic_ms >= next_connect_ms_) Connect(monotonic_ms, event_time_ms);
  if (!socket_.valid()) return;
  if (!welcomed_ || (acked_ + 1 < next_seq_ && monotonic_ms >= next_read_ms_)) {
    next_read_ms_ = monotonic_ms + kReadEveryMs;
    Read();
  }
  if (socket_.valid()) Write();
}

void FrameSender::Connect(std::int64_t monotonic_ms, std::int64_t event_time_ms) {
  next_connect_ms_ = monotonic_ms + options_.reconnect_ms;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.path.empty() || options_.path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, options_.path.data(), options_.path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  // A non-blocking connect to a Unix socket succeeds or fails at once (EAGAIN: the server's backlog is full).
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  int size = 1 << 20;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  socket_ = std::move(socket);
  in_.clear();
  greeting_.clear();
  report::HelloFrame hello;
  hello.plugin_start = options_.plugin_start;
  hello.next_seq = next_seq_;
  hello.event_time_ms = event_time_ms;
  hello.edge_id = options_.edge_id;
  report::EncodeFrame(hello, greeting_);
  Write();
}

void FrameSender::Close() {
  socket_.Reset();
  welcomed_ = false;
  greeting_.clear();
}

void FrameSender::Read() {
  char buffer[4096];
  for (;;) {
    ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return Close();
    in_.append(buffer, static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < sizeof buffer) break;
  }
  std::string_view rest = in_;
  for (;;) {
    auto taken = report::TakeFrame(rest);
    if (!taken.ok()) return Close();
    if (!taken->has_value()) break;
    if (!Handle(**taken)) return Close();
  }
  in_.erase(0, in_.size() - rest.size());
}

bool FrameSender::Handle(const report::RawFrame& frame) {
  if (frame.type == report::FrameType::kWelcome) {
    auto welcome = report::DecodeWelcome(frame.body);
    if (!welcome.ok() || welcome->protocol_version != report::kFrameProtocolVersion) return false;
    Welcomed(welcome->acked_seq);
  } else if (frame.type == report::FrameType::kAck) {
    auto ack = report::DecodeAck(frame.body);
    if (!ack.ok()) return false;
    Acked(ack->acked_seq);
  }
  return true;
}

/// Frees what is durable; a number that was never given out is ignored.
void FrameSender::Acked(std::uint64_t acked_seq) {
  if (acked_seq <= acked_ || acked_seq >= next_seq_) return;
  acked_ = acked_seq;
  while (!chunks_.empty() && chunks_.front().last_seq <= acked_) {
    bytes_ -= chunks_.front().bytes.size();
    if (chunks_.size() == 1) clock_offset_ = kNoClock;
    if (chunks_.front().bytes.capacity() < 2 * kChunkBytes) {
      spare_ = std::move(chunks_.front().bytes);
      spare_.clear();
    }
    chunks_.pop_front();
    if (send_chunk_ > 0) {
      --send_chunk_;
    } else {
      send_offset_ = 0;
    }
  }
}

/// Puts the cursor behind the last durable frame.
void FrameSender::Welcomed(std::uint64_t acked_seq) {
  Acked(acked_seq);
  welcomed_ = true;
  send_chunk_ = 0;
  send_offset_ = 0;
  if (chunks_.empty()) return;
  std::string_view rest = chunks_.front().bytes;
  std::uint64_t first = chunks_.front().first_seq;
  for (std::uint64_t skip = acked_ + 1 > first ? acked_ + 1 - first : 0; skip > 0; --skip) {
    auto taken = report::TakeFrame(rest);
    if (!taken.ok() || !taken->has_value()) break;
  }
  send_offset_ = chunks_.front().bytes.size() - rest.size();
}

void FrameSender::Write() {
  while (!greeting_.empty()) {
    ssize_t sent = ::send(socket_.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return Close();
    greeting_.erase(0, static_cast<std::size_t>(sent));
  }
  if (!welcomed_) return;
  while (send_chunk_ < chunks_.size()) {
    const std::string& bytes = chunks_[send_chunk_].bytes;
    if (send_offset_ == bytes.size()) {
      if (send_chunk_ + 1 == chunks_.size()) return;
      ++send_chunk_;
      send_offset_ = 0;
      continue;
    }
    ssize_t sent = ::send(socket_.get(), bytes.data() + send_offset_, bytes.size() - send_offset_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return Close();
    send_offset_ += static_cast<std::size_t>(sent);
    // A frame of which a byte has left is not replaced any more.
    if (send_chunk_ + 1 == chunks_.size() && send_offset_ > clock_offset_) clock_offset_ = kNoClock;
  }
}

}  // namespace fleetward::bus
