// Retained messages: what changed, for the server's listing, and who gets one (core.md §7).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fleetward/report/frames.h"

namespace fleetward::plugin {

class RetainedMessages {
 public:
  using Emit = std::function<void(const report::RetainedFrame&)>;
  static constexpr std::size_t kMaxWaiting = 1024;  // topics; more of them go out at once

  /// An allowed publish with RETAIN; an empty payload takes the message away.
  /// `may_expire`: its publisher speaks MQTT 5.
  void Note(std::string_view topic, std::uint64_t payload_bytes, int qos, bool may_expire, std::int64_t now_ms,
            const Emit& emit);
  /// Once a second: what changed, each topic once.
  void Flush(const Emit& emit);

  /// A granted SUBSCRIBE: the broker now delivers what is retained, before it looks at anything else.
  void Opened(const void* client, std::string_view filter);
  void Closed() { client_ = nullptr; }
  /// Whether a delivery comes of that, and its filter is not the topic itself: the service sends it to no wildcard and
  /// to no shared subscription.
  bool Withheld(const void* client, std::string_view topic, bool retain) const {
    return retain && client == client_ && client != nullptr && filter_ != topic;
  }

 private:
  struct Message {
    std::int64_t time_ms = 0;
    std::uint64_t payload_bytes = 0;
    std::uint8_t qos = 0;
    bool may_expire = false;
  };
  std::map<std::string, Message, std::less<>> waiting_;
  const void* client_ = nullptr;  // whose SUBSCRIBE is being handled
  std::string filter_;
};

}  // namespace fleetward::plugin
