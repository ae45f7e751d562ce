// Why connections ended: the broker tells plugins nothing, but writes a log line, which the supervisor parses and
// sends here (D18). Each ended connection waits shortly for its line.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "fleetward/base/id128.h"
#include "fleetward/base/file.h"
#include "fleetward/base/result.h"
#include "fleetward/report/frames.h"
#include "fleetward/report/reason_lines.h"

namespace fleetward::plugin {

/// A connection that ended; the frame's views are held here.
struct Ended {
  std::int64_t event_time_ms = 0;
  std::int64_t deadline_ms = 0;  // monotonic
  std::uint64_t connection = 0;
  std::uint64_t version_number = 0;
  report::DisconnectReason reason = report::DisconnectReason::kUnknown;
  bool told = false;  // the frame has gone; the entry only waits to swallow its line
  std::string client_id;
  std::string fingerprint;
  std::string source_ip;
  Id128 session;
};

class DisconnectReasons {
 public:
  using Emit = std::function<void(const Ended&)>;
  static constexpr std::int64_t kWaitMs = 250;

  /// Binds the datagram socket; an empty path means that no reasons come. Error: kIo.
  Status Open(const std::string& path);

  /// Adds an ended connection. What the plugin itself knows goes out at once.
  void Add(Ended ended, std::int64_t monotonic_ms, const Emit& emit);
  /// A line's verdict about the oldest waiting connection of this client id.
  void Learn(std::string_view client_id, report::DisconnectReason reason, const Emit& emit);
  /// Reads what the supervisor sent and lets go those who waited long enough.
  void Poll(std::int64_t monotonic_ms, const Emit& emit);
  /// Event time of the oldest frame that has not gone yet, or `otherwise`.
  std::int64_t OldestMs(std::int64_t otherwise) const;
  bool empty() const { return waiting_.empty(); }

 private:
  Fd socket_;
  std::deque<Ended> waiting_;
  std::int64_t next_drain_ms_ = 0;
};

}  // namespace fleetward::plugin
