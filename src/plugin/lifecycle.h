// Lifecycle events of clients on `$aws/events/presence/…` and `$aws/events/subscriptions/…` (core.md §7).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"
#include "disconnect_reasons.h"

namespace fleetward::plugin {

/// Client ids with `+` or `#` get none: no topic can hold them. A refused connection's event is one of at most
/// kMaxFailuresPerSecond. Events go out in the order of what they tell, those of subscriptions at the end of the
/// broker's turn, so that filters of one packet are one event.
class Lifecycle {
 public:
  using Publish = std::function<void(const std::string& topic, std::string_view payload)>;
  static constexpr std::uint32_t kMaxFailuresPerSecond = 100;
  static constexpr std::size_t kMaxWaiting = 4096;  // changes of subscriptions in one turn; more are not told

  explicit Lifecycle(Publish publish) : publish_(std::move(publish)) {}

  void Connected(const Client& client, std::int64_t now_ms);
  void Disconnected(const Ended& ended);
  void ConnectFailed(std::string_view client_id, std::string_view fingerprint, std::string_view address,
                     std::int64_t now_ms);
  void Subscribed(const Client& client, std::string_view filter) { Note(client, filter, true); }
  void Unsubscribed(const Client& client, std::string_view filter) { Note(client, filter, false); }
  /// The end of the broker's turn.
  void EndTurn(std::int64_t now_ms);
  bool HasWaiting() const { return !waiting_.empty(); }
  void EverySecond() { failures_ = 0; }

 private:
  struct Change {
    bool subscribed = false;
    std::string client_id, fingerprint;
    Id128 session;
    std::vector<std::string> topics;
  };
  void Note(const Client& client, std::string_view filter, bool subscribed);

  Publish publish_;
  std::uint32_t failures_ = 0;
  std::vector<Change> waiting_;
  std::size_t topics_waiting_ = 0;
};

}  // namespace fleetward::plugin
