// Stored forms of topics and subscriptions. Private.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/notify/topics.h"

namespace fleetward::notify {

inline constexpr store::Table kTopics{"sns_topics", true};                // key: name
inline constexpr store::Table kSubscriptions{"sns_subscriptions", true};  // key: topic, NUL, id (16 bytes)
inline constexpr store::Table kEndpoints{"sns_endpoints"};                // key: topic, NUL, protocol, NUL, endpoint; id
inline constexpr store::Table kEnded{"sns_ended_subscriptions"};          // as kSubscriptions; can be restored by a token
inline constexpr store::Table kAging{"sns_aging_subscriptions"};          // key: created (8), key of the two above: what may expire
inline constexpr store::Table kCounts{"sns_topic_counts"};                // key: name; "confirmed pending deleted"
inline constexpr store::Table kTotals{"sns_totals"};                        // key: "topics"; how many there are
inline constexpr store::Table kConfirmations{"sns_confirmation_mails"};   // key: who, NUL, random; value: when

inline constexpr auto kTokenLife = std::chrono::hours(48);
inline constexpr auto kPendingLife = std::chrono::hours(72);

std::string SubscriptionKey(const Subscription& s);
std::string EndpointKey(const Subscription& s);
/// The first key after all that begin with `prefix` (which ends in a byte below 0xff).
std::string After(std::string_view prefix);

/// A row of kAging: for each subscription that begins to wait, pending or ended. It is looked at once, in its time, and
/// stays until then whatever becomes of the subscription.
std::string AgingKey(Timestamp created, std::string_view subscription_key);
std::string_view SubscriptionKeyOf(std::string_view aging_key);

std::string Encode(const Topic& topic);
std::string Encode(const Subscription& subscription);
/// Errors: kCorrupt.
Result<Topic> DecodeTopic(std::string_view name, std::string_view text);
Result<Subscription> DecodeSubscription(std::string_view text);
/// Errors: kNotFound, kCorrupt.
Result<Topic> LoadTopic(const store::Reader& reader, std::string_view name);

/// How many subscriptions a topic has. Kept with every change, so that no call counts them.
struct TopicCounts {
  std::int64_t confirmed = 0, pending = 0, deleted = 0;
};
Result<TopicCounts> LoadCounts(const store::Reader& reader, const std::string& topic);
Status StoreCounts(store::Transaction& tx, const std::string& topic, const TopicCounts& counts);
/// How many topics there are: kept as well.
Result<std::size_t> LoadTopicTotal(const store::Reader& reader);
Status StoreTopicTotal(store::Transaction& tx, std::size_t total);

}  // namespace fleetward::notify
