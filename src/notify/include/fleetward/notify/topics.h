// SNS-compatible topics and their subscriptions (reference: core.md §9). Deliveries go through the outbox.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/notify/outbox.h"
#include "fleetward/store/control_store.h"

namespace fleetward::notify {

using Attributes = std::map<std::string, std::string>;

struct Topic {
  std::string name;
  Attributes attributes;  // DisplayName, Policy, DeliveryPolicy, SignatureVersion …
  Attributes tags;
  Timestamp created{};
};

struct Subscription {
  std::string topic;
  Id128 id;
  std::string protocol;  // "email", "email-json"
  std::string endpoint;
  std::string owner;     // access key that subscribed
  bool confirmed = false;
  bool confirmation_authenticated = false;  // AuthenticateOnUnsubscribe
  std::string token_hash;                   // SHA-256 hex of the confirmation token while pending
  Attributes attributes;
  Timestamp created{};
};

/// One page; `next` is where the following page starts, absent on the last.
template <class T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> next;
};

struct TopicSettings {
  std::string account;
  std::string region;
  std::string public_url;                     // base of links in mails, without a trailing slash
  std::size_t max_topics = 100000;
  std::size_t max_subscriptions_per_topic = 10000;
  int confirmations_per_address_per_hour = 5;  // a confirmation mail must not be a weapon (threats.md t)
  int confirmations_per_key_per_hour = 50;
};

struct Message {
  std::string subject;  // may be empty
  std::string body;
  std::map<std::string, std::string> per_protocol;  // MessageStructure=json; holds "default"
};

struct Publication {
  std::string topic_arn;
  Id128 message_id;
  Message message;
};

/// Thread-safe. Errors carry the codes of the SNS model: kInvalidArgument (InvalidParameter), kNotFound (NotFound),
/// kLimitExceeded, kThrottled, kPermissionDenied (AuthorizationError).
class TopicService {
 public:
  TopicService(store::ControlStore& store, Outbox& outbox, const Clock& clock, TopicSettings settings);

  std::string TopicArn(std::string_view name) const;
  std::string SubscriptionArn(const Subscription& subscription) const;
  /// Takes a topic ARN of this account and region. Errors: kInvalidArgument, or kNotFound for another account's.
  Result<std::string> TopicNameOf(std::string_view arn) const;

  /// Idempotent: an existing topic with the same attributes is returned. Errors: kInvalidArgument, kLimitExceeded.
  Result<std::string> CreateTopic(std::string_view actor, const std::string& name, const Attributes& attributes,
                                  const Attributes& tags);
  Status DeleteTopic(std::string_view actor, std::string_view arn);
  Result<Topic> GetTopic(std::string_view arn) const;
  Status SetTopicAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                           const std::string& value);
  /// Adds and replaces. Errors: kNotFound, kInvalidArgument, kLimitExceeded (50 tags).
  Status TagTopic(std::string_view actor, std::string_view arn, const Attributes& tags);
  /// Keys that are not there are no error. Errors: kNotFound.
  Status UntagTopic(std::string_view actor, std::string_view arn, std::span<const std::string> keys);
  Result<Page<std::string>> ListTopics(std::string_view from, std::size_t limit) const;

  /// A new endpoint is pending and is sent a confirmation; subscribing a confirmed one again returns it unchanged.
  Result<Subscription> Subscribe(std::string_view actor, std::string_view topic_arn, const std::string& protocol,
                                 const std::string& endpoint, const Attributes& attributes);
  /// The token is the proof; it is valid for two days.
  Result<Subscription> Confirm(std::string_view topic_arn, std::string_view token, bool authenticate_on_unsubscribe);
  /// `authenticated`: the call was signed. Unsigned calls are refused for protected subscriptions.
  Status Unsubscribe(std::string_view actor, std::string_view subscription_arn, bool authenticated);
  Result<Subscription> GetSubscription(std::string_view arn) const;
  Status SetSubscriptionAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                  const std::string& value);
  /// All subscriptions, or one topic's when `topic_arn` is not empty.
  Result<Page<Subscription>> ListSubscriptions(std::string_view topic_arn, std::string_view from,
                                               std::size_t limit) const;
  /// Numbers of confirmed and pending subscriptions.
  Result<std::pair<std::size_t, std::size_t>> CountSubscriptions(std::string_view topic_arn) const;

  /// Queues the message for every confirmed subscription, durably; the same id is queued once (D10).
  /// Errors: kNotFound, kInvalidArgument (subject, size), kUnavailable.
  Status Publish(std::string_view topic_arn, const Id128& message_id, const Message& message);
  /// Many messages in one durable step. Messages to topics that do not exist are left out; `missing` counts them.
  Status PublishAll(std::span<const Publication> publications, std::size_t& missing);

  /// Removes pending subscriptions older than three days.
  Status ExpirePending();

 private:
  Status AllowConfirmation(store::Transaction& tx, std::string_view actor, std::string_view endpoint) const;
  Delivery ConfirmationMail(const Subscription& subscription, std::string_view token, const Topic& topic) const;
  Status CheckMessage(const Message& message) const;
  Status Queue(store::Transaction& tx, const std::string& name, const Id128& message_id, const Message& message);
  std::string UnsubscribeUrl(const Subscription& subscription) const;

  store::ControlStore& store_;
  Outbox& outbox_;
  const Clock& clock_;
  TopicSettings settings_;
};

}  // namespace fleetward::notify
