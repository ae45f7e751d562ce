// Replays recorded samples: the agent's whole path without a machine behind it, for tests and for trying profiles.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/collector.h"

namespace fleetward::agent {

/// A recording is text, one sample a line; `#` starts a comment:
///   tcp=22,80 udp=68 conn=192.0.2.1:443,[2001:db8::1]:443 net=eth0:1000:10:500:5,lo:0:0:0:0
/// `net` holds name:bytes_in:packets_in:bytes_out:packets_out, cumulative. The last sample repeats for ever.
class ReplayCollector : public Collector {
 public:
  struct Sample {
    SocketTable sockets;
    std::vector<InterfaceCounters> interfaces;
  };
  /// Errors: kInvalidArgument naming the line; a recording needs at least one sample.
  static Result<std::unique_ptr<ReplayCollector>> Parse(std::string_view text);

  Status Sockets(SocketTable& table) override;
  /// Moves on to the next sample.
  Status Interfaces(std::vector<InterfaceCounters>& interfaces) override;

 private:
  explicit ReplayCollector(std::vector<Sample> samples) : samples_(std::move(samples)) {}
  std::vector<Sample> samples_;
  std::size_t next_ = 0;
};

}  // namespace fleetward::agent
