// From Subscribe to Confirm: limits, tokens, the messages that ask for confirmation.
#include <algorithm>

#include "attributes.h"
#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/notify/email.h"
#include "fleetward/notify/topics.h"
#include "records.h"

namespace fleetward::notify {

Status TopicService::CheckEndpoint(const std::string& protocol, const std::string& endpoint) const {
  if (protocol == "email" || protocol == "email-json") {
    if (Status valid = CheckEmailAddress(endpoint); !valid.ok()) {
      return std::move(valid).error().Prefixed("Invalid parameter: Endpoint");
    }
    return {};
  }
  if (protocol != "http" && protocol != "https") {
    return Error(Code::kInvalidArgument, "Invalid parameter: Protocol " + protocol.substr(0, 64) +
                                             " is not offered; use http, https, email or email-json");
  }
  auto target = fetcher_.Check(endpoint);
  if (!target.ok()) return std::move(target).error().Prefixed("Invalid parameter: Endpoint Reason");
  if (target->tls != (protocol == "https")) {
    return Error(Code::kInvalidArgument, "Invalid parameter: Endpoint must match the specified protocol");
  }
  return {};
}

// A confirmation must not be a weapon (threats.md t).
Status TopicService::AllowConfirmation(store::Transaction& tx, std::string_view actor,
                                       std::string_view endpoint) const {
  Timestamp now = clock_.Now();
  Timestamp hour_ago = now - std::chrono::hours(1);
  auto check = [&](const std::string& who, int limit) -> Status {
    std::string prefix = who + '\0';
    int recent = 0;
    std::vector<std::string> old;
    FW_TRY(tx.Scan(kConfirmations, prefix, After(prefix), [&](std::string_view key, std::string_view value) {
      std::int64_t at = std::strtoll(std::string(value).c_str(), nullptr, 10);
      if (FromMillis(at) < hour_ago) {
        old.emplace_back(key);
      } else {
        ++recent;
      }
      return true;
    }));
    for (const auto& key : old) FW_TRY(tx.Erase(kConfirmations, key));
    if (recent >= limit) {
      return Error(Code::kThrottled, "Rate exceeded: too many confirmation messages in the last hour");
    }
    return tx.Put(kConfirmations, prefix + crypto::RandomBytes(8), std::to_string(ToMillis(now)));
  };
  FW_TRY(check("endpoint " + std::string(endpoint), settings_.confirmations_per_address_per_hour));
  return check("key " + std::string(actor), settings_.confirmations_per_key_per_hour);
}

// The id in front finds the subscription without a search; the rest is the secret.
std::string TopicService::NewToken(Subscription& s) const {
  std::string token = s.id.Hex() + HexEncode(crypto::RandomBytes(32));
  s.token_hash = crypto::Sha256Hex(token);
  s.created = clock_.Now();
  return token;
}

std::string TopicService::ConfirmUrl(const Subscription& s, std::string_view token) const {
  return settings_.public_url + "/?Action=ConfirmSubscription&TopicArn=" + TopicArn(s.topic) + "&Token=" +
         std::string(token);
}

Delivery TopicService::Addressed(const Subscription& s, const Topic& topic, std::string kind) const {
  Delivery d;
  d.message_id = Id128::Random();
  d.subscription_id = s.id;
  d.kind = std::move(kind);
  d.topic = TopicArn(s.topic);
  d.protocol = s.protocol;
  d.endpoint = s.endpoint;
  auto sender = topic.attributes.find("DisplayName");
  if (sender != topic.attributes.end()) d.sender_name = sender->second;
  d.created = clock_.Now();
  auto version = topic.attributes.find("SignatureVersion");
  d.signature_version = version != topic.attributes.end() && version->second == "2" ? 2 : 1;
  if (!d.IsHttp()) return d;
  d.subscription_arn = SubscriptionArn(s);
  auto raw = s.attributes.find("RawMessageDelivery");
  d.raw = raw != s.attributes.end() && raw->second == "true";
  TopicDeliveryPolicy policy = DeliveryPolicyOf(topic);
  d.policy = policy.policy;
  auto own = s.attributes.find("DeliveryPolicy");
  if (own != s.attributes.end() && !policy.disable_overrides) {
    auto parsed = ParseSubscriptionDeliveryPolicy(own->second, policy.policy);
    if (parsed.ok()) d.policy = *parsed;
  }
  return d;
}

Delivery TopicService::Confirmation(const Subscription& s, std::string_view token, const Topic& topic) const {
  Delivery d = Addressed(s, topic, "confirmation");
  d.url = ConfirmUrl(s, token);
  d.token = token;
  if (d.IsHttp()) {
    d.body = "You have chosen to subscribe to the topic " + d.topic +
             ".\nTo confirm the subscription, visit the SubscribeURL included in this message.";
    return d;
  }
  d.subject = "AWS Notification - Subscription Confirmation";
  d.body = "This address was subscribed to alerts of the topic\n" + d.topic +
           "\n\nTo confirm, open this link (valid for two days):\n" + d.url +
           "\n\nor run:\naws sns confirm-subscription --topic-arn " + d.topic + " --token " + d.token +
           "\n\nIf you did not ask for this, do nothing: no alert is sent without confirmation.";
  return d;
}

Status TopicService::CheckLimits(const store::Reader& reader, const Subscription& s, bool is_new) const {
  if (is_new) {
    FW_ASSIGN(TopicCounts counts, LoadCounts(reader, s.topic));
    if (static_cast<std::size_t>(counts.confirmed + counts.pending) >= settings_.max_subscriptions_per_topic) {
      return Error(Code::kLimitExceeded, "Subscription limit exceeded").WithField("exception", "SubscriptionLimitExceeded");
    }
  }
  if (!s.attributes.contains("FilterPolicy")) return {};
  std::size_t filters = 0;
  std::string prefix = s.topic + '\0';
  FW_TRY(reader.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
    auto other = DecodeSubscription(value);
    if (other.ok() && other->id != s.id && other->attributes.contains("FilterPolicy")) ++filters;
    return filters < settings_.max_filter_policies_per_topic;
  }));
  if (filters < settings_.max_filter_policies_per_topic) return {};
  return Error(Code::kLimitExceeded, "Filter policy limit exceeded").WithField("exception", "FilterPolicyLimitExceeded");
}

// A new subscription, or one that still waits for its confirmation: its attributes, its token, its message.
Result<Subscription> TopicService::Prepare(store::Transaction& tx, std::string_view actor, const Topic& topic,
                                           Subscription s, const Attributes& attributes) {
  bool is_new = s.id == Id128();
  if (is_new) s.id = Id128::Random();
  s.owner = actor;
  s.attributes.clear();
  for (const auto& [key, value] : attributes) FW_TRY(SetAttribute(s, key, value, DeliveryPolicyOf(topic).policy));
  FW_TRY(CheckFilter(s));
  FW_TRY(CheckLimits(tx, s, is_new));
  FW_TRY(AllowConfirmation(tx, actor, s.endpoint));
  if (is_new) {
    FW_ASSIGN(TopicCounts counts, LoadCounts(tx, s.topic));
    ++counts.pending;
    FW_TRY(StoreCounts(tx, s.topic, counts));
  }
  std::string token = NewToken(s);
  FW_TRY(tx.Put(kSubscriptions, SubscriptionKey(s), Encode(s)));
  FW_TRY(tx.Put(kAging, AgingKey(s.created, SubscriptionKey(s)), ""));
  FW_TRY(tx.Put(kEndpoints, EndpointKey(s), s.id.Bytes()));
  Delivery ask = Confirmation(s, token, topic);
  FW_TRY(outbox_.Add(tx, ask.message_id, {ask}));
  return s;
}

Result<Subscription> TopicService::Subscribe(std::string_view actor, std::string_view topic_arn,
                                             const std::string& protocol, const std::string& endpoint,
                                             const Attributes& attributes) {
  FW_ASSIGN(std::string name, TopicNameOf(topic_arn));
  FW_TRY(CheckEndpoint(protocol, endpoint));
  return store::WriteFor<Subscription>(store_, actor, [&](store::Transaction& tx) -> Result<Subscription> {
    FW_ASSIGN(Topic topic, LoadTopic(tx, name));
    Subscription s;
    s.topic = name;
    s.protocol = protocol;
    s.endpoint = endpoint;
    FW_ASSIGN(auto existing, tx.Get(kEndpoints, EndpointKey(s)));
    if (!existing) return Prepare(tx, actor, topic, std::move(s), attributes);
    s.id = Id128::FromBytes(*existing).value_or(Id128{});
    FW_ASSIGN(auto stored, tx.Get(kSubscriptions, SubscriptionKey(s)));
    if (!stored) return Error(Code::kCorrupt, "a stored subscription is missing");
    FW_ASSIGN(s, DecodeSubscription(*stored));
    if (!s.confirmed) return Prepare(tx, actor, topic, std::move(s), attributes);
    bool same = std::all_of(attributes.begin(), attributes.end(), [&](const auto& given) {
      auto found = s.attributes.find(given.first);
      return found != s.attributes.end() && found->second == given.second;
    });
    if (same) return s;
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: Attributes Reason: Subscription already exists with different attributes");
  });
}

Result<Subscription> TopicService::Confirm(std::string_view topic_arn, std::string_view token, bool is_signed,
                                           bool protect) {
  FW_ASSIGN(std::string name, TopicNameOf(topic_arn));
  auto id = Id128::Parse(token.substr(0, 32));
  return store::WriteFor<Subscription>(store_, "confirmation", [&](store::Transaction& tx) -> Result<Subscription> {
    FW_TRY(LoadTopic(tx, name));
    std::string key = name + '\0' + id.value_or(Id128()).Bytes();
    FW_ASSIGN(auto stored, tx.Get(kSubscriptions, key));
    bool ended = false;
    if (!stored) {
      FW_ASSIGN(stored, tx.Get(kEnded, key));
      ended = stored.has_value();
    }
    auto invalid = [] { return Error(Code::kInvalidArgument, "Invalid token"); };
    if (!id || !stored) return invalid();
    FW_ASSIGN(Subscription s, DecodeSubscription(*stored));
    if (!crypto::ConstantTimeEquals(s.token_hash, crypto::Sha256Hex(token))) return invalid();
    if (s.confirmed && !ended) return s;  // the link was opened twice
    if (s.created + kTokenLife < clock_.Now()) return invalid();
    FW_ASSIGN(TopicCounts counts, LoadCounts(tx, name));
    if (ended) {
      FW_ASSIGN(auto again, tx.Get(kEndpoints, EndpointKey(s)));
      if (again) return invalid();  // subscribed anew meanwhile
      FW_TRY(tx.Erase(kEnded, key));
      FW_TRY(tx.Put(kEndpoints, EndpointKey(s), s.id.Bytes()));
      --counts.deleted;
    } else {
      --counts.pending;
    }
    ++counts.confirmed;
    FW_TRY(StoreCounts(tx, name, counts));
    s.confirmed = true;
    s.confirmed_by_signature = is_signed;
    s.protected_unsubscribe = protect;
    FW_TRY(tx.Put(kSubscriptions, key, Encode(s)));
    return s;
  });
}

}  // namespace fleetward::notify
