// SNS-compatible topics and their subscriptions (reference: core.md §9). Deliveries go through the outbox.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/fetch/fetcher.h"
#include "fleetward/notify/delivery_policy.h"
#include "fleetward/notify/filter_policy.h"
#include "fleetward/notify/message.h"
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
  std::string protocol;  // "email", "email-json", "http", "https"
  std::string endpoint;
  std::string owner;     // access key that subscribed
  bool confirmed = false;
  bool protected_unsubscribe = false;   // AuthenticateOnUnsubscribe
  bool confirmed_by_signature = false;  // ConfirmationWasAuthenticated
  std::string token_hash;               // SHA-256 hex of the token that confirms or restores it
  Attributes attributes;                // RawMessageDelivery, FilterPolicy, FilterPolicyScope, DeliveryPolicy …
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
  std::string public_url;                     // base of links in messages, without a trailing slash
  std::string link_key;                       // 32 secret bytes: tokens of unsubscribe links
  fetch::FetchRules fetch;                    // which http(s) endpoints may be subscribed
  std::size_t max_topics = 100000;
  std::size_t max_subscriptions_per_topic = 10000;
  std::size_t max_filter_policies_per_topic = 200;
  int confirmations_per_address_per_hour = 5;  // a confirmation mail must not be a weapon (threats.md t)
  int confirmations_per_key_per_hour = 50;
};

/// How the caller of Unsubscribe shows that it may.
struct UnsubscribeProof {
  bool is_signed = false;   // a signed call
  std::string token;        // of an UnsubscribeURL
  bool asked = false;       // the second step of the page behind a mail's link
};
enum class UnsubscribeOutcome : std::uint8_t {
  kEnded,
  kAsk,  // a mail's link was opened: nothing has changed, show a page that asks
};

/// A topic's figures and texts that GetTopicAttributes shows beside what was set.
struct TopicView {
  Topic topic;
  std::int64_t confirmed = 0, pending = 0, deleted = 0;
  std::string policy, effective_delivery_policy;
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
  Result<TopicView> ViewTopic(std::string_view arn) const;
  Status SetTopicAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                           const std::string& value);
  /// A statement of the topic's access policy. Kept for audits: access keys decide who may call.
  Status AddPermission(std::string_view actor, std::string_view arn, const std::string& label,
                       std::span<const std::string> accounts, std::span<const std::string> actions);
  Status RemovePermission(std::string_view actor, std::string_view arn, const std::string& label);
  /// Adds and replaces. Errors: kNotFound, kInvalidArgument, kLimitExceeded (50 tags).
  Status TagTopic(std::string_view actor, std::string_view arn, const Attributes& tags);
  /// Keys that are not there are no error. Errors: kNotFound.
  Status UntagTopic(std::string_view actor, std::string_view arn, std::span<const std::string> keys);
  Result<Page<std::string>> ListTopics(std::string_view from, std::size_t limit) const;

  /// A new endpoint is pending and is sent a confirmation; subscribing a confirmed one again returns it unchanged.
  Result<Subscription> Subscribe(std::string_view actor, std::string_view topic_arn, const std::string& protocol,
                                 const std::string& endpoint, const Attributes& attributes);
  /// The token is the proof; it is valid for two days. Also restores a subscription that was ended. `is_signed`: the call
  /// was; `protect`: only signed calls may end the subscription.
  Result<Subscription> Confirm(std::string_view topic_arn, std::string_view token, bool is_signed, bool protect);
  /// Unsigned calls need the token of the link, and are refused for protected subscriptions; for e-mail they need a second
  /// step (threats.md o). Endpoints get an UnsubscribeConfirmation; after an unsigned call other subscribers get a notice.
  Result<UnsubscribeOutcome> Unsubscribe(std::string_view actor, std::string_view subscription_arn,
                                         const UnsubscribeProof& proof);
  Result<Subscription> GetSubscription(std::string_view arn) const;
  Status SetSubscriptionAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                  const std::string& value);
  /// All subscriptions, or one topic's when `topic_arn` is not empty.
  Result<Page<Subscription>> ListSubscriptions(std::string_view topic_arn, std::string_view from,
                                               std::size_t limit) const;
  /// EffectiveDeliveryPolicy of an http(s) subscription; empty for others.
  Result<std::string> EffectiveDeliveryPolicy(const Subscription& subscription) const;

  /// Queues the message for every confirmed subscription that wants it, durably; the same id is queued once (D10).
  /// Errors: kNotFound, kInvalidArgument (subject, size), kUnavailable.
  Status Publish(std::string_view topic_arn, const Id128& message_id, const Message& message);
  /// Many messages in one durable step. Messages to topics that do not exist are left out; `missing` counts them.
  Status PublishAll(std::span<const Publication> publications, std::size_t& missing);

  /// Removes pending and ended subscriptions older than three days. Costs what it removes, in transactions of a few
  /// hundred rows; once, what an older release left is put in order.
  Status ExpirePending();

 private:
  Status ChangeTopic(std::string_view actor, std::string_view arn, const std::function<Status(Topic&)>& change);
  Status CheckEndpoint(const std::string& protocol, const std::string& endpoint) const;
  Status CheckLimits(const store::Reader& reader, const Subscription& subscription, bool is_new) const;
  Status AllowConfirmation(store::Transaction& tx, std::string_view actor, std::string_view endpoint) const;
  Result<Subscription> Prepare(store::Transaction& tx, std::string_view actor, const Topic& topic,
                               Subscription subscription, const Attributes& attributes);
  std::string NewToken(Subscription& subscription) const;
  std::string ConfirmUrl(const Subscription& subscription, std::string_view token) const;
  std::string UnsubscribeToken(const Subscription& subscription) const;
  std::string UnsubscribeUrl(const Subscription& subscription) const;
  Delivery Addressed(const Subscription& subscription, const Topic& topic, std::string kind) const;
  Delivery Confirmation(const Subscription& subscription, std::string_view token, const Topic& topic) const;
  Delivery Ended(const Subscription& subscription, std::string_view token, const Topic& topic) const;
  Status NotifyOthers(store::Transaction& tx, const Subscription& ended, const Topic& topic);
  Status End(store::Transaction& tx, Subscription subscription, bool is_signed);
  Status Queue(store::Transaction& tx, const std::string& name, const Id128& message_id, const Message& message);

  store::ControlStore& store_;
  Outbox& outbox_;
  const Clock& clock_;
  const TopicSettings settings_;
  const fetch::Fetcher fetcher_;
};

}  // namespace fleetward::notify
