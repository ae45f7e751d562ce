// Turns the broker's output into disconnect reasons for the plugin (D18), and passes the lines on.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "fleetward/base/file.h"

namespace fleetward::supervise {

class ReasonRelay {
 public:
  using LineSink = std::function<void(std::string_view)>;
  /// `socket_path`: the plugin's datagram socket. `sink` may be empty.
  ReasonRelay(std::string socket_path, LineSink sink);

  /// Takes a piece of output; lines may be cut anywhere.
  void Take(std::string_view output);

 private:
  void Send();
  std::string path_;
  LineSink sink_;
  std::string part_;
  std::string datagram_;
  Fd socket_;
};

}  // namespace fleetward::supervise
