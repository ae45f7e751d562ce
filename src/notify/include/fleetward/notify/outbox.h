// The durable queue between "this must be told" and "it was told". A message id is taken once; what was delivered
// is remembered for 48 hours, so that a replay neither repeats nor loses an alert (D10, D23).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/result.h"
#include "fleetward/notify/delivery_policy.h"
#include "fleetward/store/control_store.h"

namespace fleetward::notify {

/// One message to one endpoint.
struct Delivery {
  Id128 message_id;
  Id128 subscription_id;
  std::string kind;         // "notification", "confirmation", "unsubscribe-confirmation", "notice"
  std::string topic;        // ARN
  std::string protocol;     // picks the channel
  std::string endpoint;
  std::string sender_name;  // topic's DisplayName, may be empty
  std::string subject;
  std::string body;
  std::string footer;       // what follows the message in a mail
  Timestamp created{};
  std::int32_t attempts = 0;
  std::string last_failure;
  std::string url;          // UnsubscribeURL of a notification, SubscribeURL of the others
  std::string token;        // of the SubscribeURL
  // For endpoints that get signed JSON.
  std::string attributes;   // JSON of MessageAttributes; empty: none
  int signature_version = 1;
  // For http(s) endpoints.
  std::string subscription_arn;
  bool raw = false;
  DeliveryPolicy policy;

  /// 32 bytes, unique per message and endpoint.
  std::string Key() const { return message_id.Bytes() + subscription_id.Bytes(); }
  bool IsHttp() const { return protocol == "http" || protocol == "https"; }
  bool IsSigned() const { return IsHttp() || protocol == "email-json"; }
  /// Deliveries to one endpoint share a lane; lanes do not wait for each other. 9 bytes: pool ('h' or 'm'), hash.
  std::string Lane() const;
};

struct OutboxCounts {
  std::size_t pending = 0;
  std::size_t dead = 0;
  std::size_t kept = 0;
};

/// Thread-safe.
class Outbox {
 public:
  Outbox(store::ControlStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// Adds deliveries inside the caller's transaction. A message id that was taken before adds nothing.
  Status Add(store::Transaction& tx, const Id128& message_id, const std::vector<Delivery>& deliveries);
  /// True when the message id was taken within the last 48 hours.
  static Result<bool> Taken(const store::Reader& reader, const Id128& message_id);

  struct Waiting {
    std::string lane;
    Timestamp due{};  // of the lane's first delivery
  };
  /// Every lane with deliveries: what a dispatcher starts from. Cost: one step a lane.
  Result<std::vector<Waiting>> Lanes() const;
  /// A lane's deliveries whose time has come, oldest first, at most `limit`.
  Result<std::vector<Delivery>> DueIn(std::string_view lane, std::size_t limit) const;
  /// When the lane's delivery after the first `skip` ones falls due; nothing when there is none.
  Result<std::optional<Timestamp>> NextDueIn(std::string_view lane, std::size_t skip) const;
  /// All that is queued, by age, at most `limit`.
  Result<std::vector<Delivery>> Queued(std::size_t limit) const;

  Status MarkDone(const Delivery& delivery);
  /// Tries again at `next`.
  Status MarkFailed(const Delivery& delivery, std::string_view reason, Timestamp next);
  /// Gives up; the delivery stays visible among the dead letters.
  Status MarkDead(const Delivery& delivery, std::string_view reason);
  /// Stores the finished mail where `fleetward mail` shows it: no mail server is configured (D35).
  Status MarkKept(const Delivery& delivery, std::string_view rendered);

  /// Kept mails and dead letters, newest first. `table` is "kept" or "dead".
  Result<std::vector<std::pair<Timestamp, std::string>>> Kept(std::size_t limit) const;
  Result<std::vector<Delivery>> Dead(std::size_t limit) const;
  /// Read, not counted.
  Result<OutboxCounts> Counts() const;

  /// Forgets message ids older than 48 hours, and kept mails and dead letters beyond the newest 1,000. Costs what it
  /// removes, in transactions of a few hundred rows.
  Status Expire();

  /// Called (on the store's thread) whenever deliveries were added, with their lanes.
  using Wake = std::function<void(const std::vector<std::string>& lanes)>;
  void OnAdded(Wake wake);

  /// Brings a queue of an older release into lanes, counts it, and orders by time what was taken. Call once, before a dispatcher starts.
  Status Migrate();

 private:
  store::ControlStore& store_;
  const Clock& clock_;
  std::mutex mutex_;
  Wake wake_;
};

}  // namespace fleetward::notify
