// Server end of the edge link: a Unix stream socket that plugins connect to. Used by one ingest thread; Ack and Wake
// may be called from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/report/frames.h"

namespace fleetward::bus {

/// Names one connection of an edge; never reused within a process.
using EdgeConnection = std::uint64_t;

/// Behind each frame that is handed out, so many bytes are readable at least: a decoder of payloads may look ahead.
inline constexpr std::size_t kFrameSlack = 64;

/// What one Poll brought from one edge, in the order of the stream: hello, frames, closed. Views stay valid until the
/// next Poll.
struct EdgeBatch {
  EdgeConnection connection = 0;
  /// The plugin (re)connected and waits for Welcome; no frame follows before that. Its sequence numbers belong to
  /// plugin_start, whatever the connection.
  std::optional<report::HelloFrame> hello;
  std::vector<report::RawFrame> frames;
  bool closed = false;
};

class FrameListener {
 public:
  struct Options {
    /// Socket path; a stale one is replaced. Made with mode 0600.
    std::string path;
    /// Peers allowed besides root and this process's own user (SO_PEERCRED).
    std::vector<std::uint32_t> allowed_uids;
    /// Bytes read from one edge at most per Poll: the bound of a batch.
    std::size_t read_budget = 1 << 20;
    std::size_t max_connections = 64;
  };

  /// Errors: kIo with the path.
  static Result<std::unique_ptr<FrameListener>> Open(Options options);
  ~FrameListener();
  FrameListener(const FrameListener&) = delete;
  FrameListener& operator=(const FrameListener&) = delete;

  /// Waits up to `timeout` for something to arrive and hands out all that is there; an empty list after the timeout
  /// or a Wake. A peer that sends nonsense is closed and reported so. Errors: kIo (the listener is unusable).
  Result<std::vector<EdgeBatch>> Poll(Millis timeout);

  /// Answers hello: the plugin goes on after `acked_seq` (0: from its first frame). Closed connections are ignored.
  void Welcome(EdgeConnection connection, std::uint64_t acked_seq);
  /// All frames up to `acked_seq` are durable. Thread-safe.
  void Ack(EdgeConnection connection, std::uint64_t acked_seq);
  /// Makes a Poll under way return. Thread-safe.
  void Wake();

 private:
  struct Peer;
  explicit FrameListener(Options options);
  Status Start();
  void AcceptAll();
  bool Allowed(int fd) const;
  void Receive(Peer& peer, EdgeBatch& batch);
  bool ReadSome(Peer& peer);
  void Send(EdgeConnection connection, const std::string& bytes);
  void Flush(Peer& peer);
  void Drop(EdgeConnection connection);

  Options options_;
  Fd listen_;
  Fd wake_;
  std::mutex mutex_;  // guards the peers' sockets and output against Ack from elsewhere
  std::map<EdgeConnection, std::unique_ptr<Peer>> peers_;
  EdgeConnection next_connection_ = 1;
};

}  // namespace fleetward::bus
