#include "fleetward/notify/topics.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/notify/email.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr store::Table kTopics{"sns_topics", true};                // key: name
constexpr store::Table kSubscriptions{"sns_subscriptions", true};  // key: topic, NUL, id (16 bytes)
constexpr store::Table kEndpoints{"sns_endpoints"};                // key: topic, NUL, protocol, NUL, endpoint; id
constexpr store::Table kConfirmations{"sns_confirmation_mails"};   // key: who, NUL, random; value: when (8 bytes)
constexpr auto kTokenLife = std::chrono::hours(48);
constexpr auto kPendingLife = std::chrono::hours(72);
constexpr std::size_t kMaxTags = 50;
constexpr std::size_t kMaxMessage = 256 * 1024;

std::string SubscriptionKey(const Subscription& s) { return s.topic + '\0' + s.id.Bytes(); }
std::string EndpointKey(const Subscription& s) { return s.topic + '\0' + s.protocol + '\0' + s.endpoint; }

std::string Dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

// Members that are no strings are left out: a damaged row must not throw.
Attributes StringMap(const json& object) {
  Attributes map;
  if (!object.is_object()) return map;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) map[key] = value.get_ref<const std::string&>();
  }
  return map;
}

std::string Encode(const Topic& t) {
  return Dump({{"attributes", t.attributes}, {"tags", t.tags}, {"created", ToMillis(t.created)}});
}

Result<Topic> DecodeTopic(std::string_view name, std::string_view text) {
  json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return Error(Code::kCorrupt, "a stored topic cannot be read");
  Topic topic;
  topic.name = name;
  topic.attributes = StringMap(j["attributes"]);
  topic.tags = StringMap(j["tags"]);
  topic.created = FromMillis(j.value("created", std::int64_t{0}));
  return topic;
}

std::string Encode(const Subscription& s) {
  return Dump({{"topic", s.topic}, {"id", s.id.Hex()}, {"protocol", s.protocol}, {"endpoint", s.endpoint},
               {"owner", s.owner}, {"confirmed", s.confirmed}, {"authenticated", s.confirmation_authenticated},
               {"token", s.token_hash}, {"attributes", s.attributes}, {"created", ToMillis(s.created)}});
}

Result<Subscription> DecodeSubscription(std::string_view text) {
  json j = json::parse(text, nullptr, false);
  auto id = j.is_object() ? Id128::Parse(j.value("id", "")) : std::nullopt;
  if (!id) return Error(Code::kCorrupt, "a stored subscription cannot be read");
  Subscription s;
  s.topic = j.value("topic", "");
  s.id = *id;
  s.protocol = j.value("protocol", "");
  s.endpoint = j.value("endpoint", "");
  s.owner = j.value("owner", "");
  s.confirmed = j.value("confirmed", false);
  s.confirmation_authenticated = j.value("authenticated", false);
  s.token_hash = j.value("token", "");
  s.attributes = StringMap(j["attributes"]);
  s.created = FromMillis(j.value("created", std::int64_t{0}));
  return s;
}

bool IsTopicName(std::string_view name) {
  if (name.empty() || name.size() > 256) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// CR and LF in a name or subject could open a header in somebody's mail (threats.md t).
bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

Status CheckTopicAttribute(const std::string& name, const std::string& value) {
  static constexpr std::string_view kKnown[] = {"DisplayName", "Policy", "DeliveryPolicy", "SignatureVersion",
                                                "KmsMasterKeyId", "TracingConfig"};
  if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
    return Error(Code::kInvalidArgument, "Invalid parameter: AttributeName " + name);
  }
  if (name == "DisplayName" && (value.size() > 100 || HasControl(value) || !IsUtf8(value))) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: DisplayName must be at most 100 characters without control characters");
  }
  if (name == "SignatureVersion" && value != "1" && value != "2") {
    return Error(Code::kInvalidArgument, "Invalid parameter: SignatureVersion must be 1 or 2");
  }
  if ((name == "Policy" || name == "DeliveryPolicy") && !value.empty() && !json::accept(value)) {
    return Error(Code::kInvalidArgument, "Invalid parameter: " + name + " is not valid JSON");
  }
  return {};
}

Status CheckTags(const Attributes& tags) {
  if (tags.size() > kMaxTags) return Error(Code::kLimitExceeded, "A topic can have at most 50 tags");
  for (const auto& [key, value] : tags) {
    if (key.empty() || key.size() > 128 || key.starts_with("aws:") || value.size() > 256) {
      return Error(Code::kInvalidArgument,
                   "Invalid parameter: Tags Reason: a key has 1 to 128 characters and does not begin with aws:, a "
                   "value has at most 256");
    }
  }
  return {};
}

Status CheckSubscriptionAttribute(const std::string& name, const std::string& value) {
  if (name == "RawMessageDelivery") {
    if (value == "true" || value == "false") return {};
    return Error(Code::kInvalidArgument, "Invalid parameter: RawMessageDelivery must be true or false");
  }
  if (name == "DeliveryPolicy" || name == "RedrivePolicy") {
    if (value.empty() || json::accept(value)) return {};
    return Error(Code::kInvalidArgument, "Invalid parameter: " + name + " is not valid JSON");
  }
  // Filter policies decide who is told; accepting one without honouring it would be worse than refusing.
  return Error(Code::kInvalidArgument, "Invalid parameter: AttributeName " + name + " is not offered");
}

Result<Topic> LoadTopic(const store::Reader& reader, std::string_view name) {
  FW_ASSIGN(auto stored, reader.Get(kTopics, name));
  if (!stored) return Error(Code::kNotFound, "Topic does not exist");
  return DecodeTopic(name, *stored);
}

std::string After(std::string_view prefix) {
  std::string end(prefix);
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

}  // namespace

TopicService::TopicService(store::ControlStore& store, Outbox& outbox, const Clock& clock, TopicSettings settings)
    : store_(store), outbox_(outbox), clock_(clock), settings_(std::move(settings)) {}

std::string TopicService::TopicArn(std::string_view name) const {
  return "arn:aws:sns:" + settings_.region + ':' + settings_.account + ':' + std::string(name);
}

std::string TopicService::SubscriptionArn(const Subscription& s) const { return TopicArn(s.topic) + ':' + s.id.Uuid(); }

Result<std::string> TopicService::TopicNameOf(std::string_view arn) const {
  std::string prefix = TopicArn("");
  if (arn.substr(0, 12) != "arn:aws:sns:") {
    return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn Reason: not an SNS topic ARN");
  }
  if (arn.substr(0, prefix.size()) != prefix) return Error(Code::kNotFound, "Topic does not exist");
  std::string name(arn.substr(prefix.size()));
  if (!IsTopicName(name)) return Error(Code::kInvalidArgument, "Invalid parameter: TopicArn Reason: bad topic name");
  return name;
}

Result<std::string> TopicService::CreateTopic(std::string_view actor, const std::string& name,
                                              const Attributes& attributes, const Attributes& tags) {
  if (!IsTopicName(name)) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: Topic Name must be 1-256 letters, digits, hyphens and underscores");
  }
  for (const auto& [key, value] : attributes) FW_TRY(CheckTopicAttribute(key, value));
  FW_TRY(CheckTags(tags));
  FW_TRY(store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(auto stored, tx.Get(kTopics, name));
    if (stored) {
      FW_ASSIGN(Topic existing, DecodeTopic(name, *stored));
      for (const auto& [key, value] : attributes) {
        auto found = existing.attributes.find(key);
        if (found == existing.attributes.end() || found->second != value) {
          return Error(Code::kInvalidArgument,
                       "Invalid parameter: Attributes Reason: Topic already exists with different attributes");
        }
      }
      if (!tags.empty() && tags != existing.tags) {
        return Error(Code::kInvalidArgument, "Invalid parameter: Tags Reason: Topic already exists with different tags");
      }
      return {};
    }
    std::size_t count = 0;
    FW_TRY(tx.Scan(kTopics, "", "", [&](std::string_view, std::string_view) {
      return ++count < settings_.max_topics;
    }));
    if (count >= settings_.max_topics) return Error(Code::kLimitExceeded, "Topic limit exceeded");
    Topic topic{name, attributes, tags, clock_.Now()};
    return tx.Put(kTopics, name, Encode(topic));
  }));
  return TopicArn(name);
}

Status TopicService::DeleteTopic(std::string_view actor, std::string_view arn) {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    std::vector<std::string> subscriptions;
    std::vector<std::string> endpoints;
    std::string prefix = name + '\0';
    FW_TRY(tx.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view key, std::string_view) {
      subscriptions.emplace_back(key);
      return true;
    }));
    FW_TRY(tx.Scan(kEndpoints, prefix, After(prefix), [&](std::string_view key, std::string_view) {
      endpoints.emplace_back(key);
      return true;
    }));
    for (const auto& key : subscriptions) FW_TRY(tx.Erase(kSubscriptions, key));
    for (const auto& key : endpoints) FW_TRY(tx.Erase(kEndpoints, key));
    return tx.Erase(kTopics, name);
  });
}

Result<Topic> TopicService::GetTopic(std::string_view arn) const {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store::ReadFor<Topic>(store_, [&](const store::Reader& reader) { return LoadTopic(reader, name); });
}

Status TopicService::SetTopicAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                       const std::string& value) {
  FW_ASSIGN(std::string topic_name, TopicNameOf(arn));
  FW_TRY(CheckTopicAttribute(name, value));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Topic topic, LoadTopic(tx, topic_name));
    topic.attributes[name] = value;
    return tx.Put(kTopics, topic_name, Encode(topic));
  });
}

Status TopicService::TagTopic(std::string_view actor, std::string_view arn, const Attributes& tags) {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Topic topic, LoadTopic(tx, name));
    for (const auto& [key, value] : tags) topic.tags[key] = value;
    FW_TRY(CheckTags(topic.tags));
    return tx.Put(kTopics, name, Encode(topic));
  });
}

Status TopicService::UntagTopic(std::string_view actor, std::string_view arn, std::span<const std::string> keys) {
  FW_ASSIGN(std::string name, TopicNameOf(arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Topic topic, LoadTopic(tx, name));
    for (const std::string& key : keys) topic.tags.erase(key);
    return tx.Put(kTopics, name, Encode(topic));
  });
}

Result<Page<std::string>> TopicService::ListTopics(std::string_view from, std::size_t limit) const {
  return store::ReadFor<Page<std::string>>(store_, [&](const store::Reader& reader) -> Result<Page<std::string>> {
    Page<std::string> page;
    FW_TRY(reader.Scan(kTopics, from, "", [&](std::string_view key, std::string_view) {
      if (page.items.size() == limit) {
        page.next = key;
        return false;
      }
      page.items.push_back(TopicArn(key));
      return true;
    }));
    return page;
  });
}

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

Delivery TopicService::ConfirmationMail(const Subscription& s, std::string_view token, const Topic& topic) const {
  std::string arn = TopicArn(s.topic);
  Delivery d;
  d.message_id = Id128::Random();
  d.subscription_id = s.id;
  d.kind = "confirmation";
  d.topic = arn;
  d.protocol = s.protocol;
  d.endpoint = s.endpoint;
  auto sender = topic.attributes.find("DisplayName");
  if (sender != topic.attributes.end()) d.sender_name = sender->second;
  d.subject = "AWS Notification - Subscription Confirmation";
  d.body = "This address was subscribed to alerts of the topic\n" + arn +
           "\n\nTo confirm, open this link (valid for two days):\n" + settings_.public_url +
           "/?Action=ConfirmSubscription&TopicArn=" + PercentEncode(arn) + "&Token=" + std::string(token) +
           "\n\nor run:\naws sns confirm-subscription --topic-arn " + arn + " --token " + std::string(token) +
           "\n\nIf you did not ask for this, do nothing: no alert is sent without confirmation.";
  d.created = clock_.Now();
  return d;
}

Result<Subscription> TopicService::Subscribe(std::string_view actor, std::string_view topic_arn,
                                             const std::string& protocol, const std::string& endpoint,
                                             const Attributes& attributes) {
  FW_ASSIGN(std::string name, TopicNameOf(topic_arn));
  if (protocol != "email" && protocol != "email-json") {
    return Error(Code::kInvalidArgument, "Invalid parameter: Protocol " + protocol + " is not offered; use email or email-json");
  }
  if (Status valid = CheckEmailAddress(endpoint); !valid.ok()) {
    return std::move(valid).error().Prefixed("Invalid parameter: Endpoint");
  }
  for (const auto& [key, value] : attributes) FW_TRY(CheckSubscriptionAttribute(key, value));
  return store::WriteFor<Subscription>(store_, actor, [&](store::Transaction& tx) -> Result<Subscription> {
    FW_ASSIGN(Topic topic, LoadTopic(tx, name));
    Subscription s;
    s.topic = name;
    s.protocol = protocol;
    s.endpoint = endpoint;
    FW_ASSIGN(auto existing, tx.Get(kEndpoints, EndpointKey(s)));
    if (existing) {
      s.id = Id128::FromBytes(*existing).value_or(Id128{});
      FW_ASSIGN(auto stored, tx.Get(kSubscriptions, SubscriptionKey(s)));
      if (!stored) return Error(Code::kCorrupt, "a stored subscription is missing");
      FW_ASSIGN(s, DecodeSubscription(*stored));
      if (s.confirmed) {
        if (!attributes.empty() && attributes != s.attributes) {
          return Error(Code::kInvalidArgument,
                       "Invalid parameter: Attributes Reason: Subscription already exists with different attributes");
        }
        return s;
      }
    } else {
      std::size_t count = 0;
      std::string prefix = name + '\0';
      FW_TRY(tx.Scan(kEndpoints, prefix, After(prefix), [&](std::string_view, std::string_view) {
        return ++count < settings_.max_subscriptions_per_topic;
      }));
      if (count >= settings_.max_subscriptions_per_topic) {
        return Error(Code::kLimitExceeded, "Subscription limit exceeded");
      }
      s.id = Id128::Random();
      s.created = clock_.Now();
    }
    FW_TRY(AllowConfirmation(tx, actor, endpoint));
    std::string token = HexEncode(crypto::RandomBytes(32));
    s.owner = actor;
    s.attributes = attributes;
    s.created = clock_.Now();
    s.token_hash = crypto::Sha256Hex(token);
    FW_TRY(tx.Put(kSubscriptions, SubscriptionKey(s), Encode(s)));
    FW_TRY(tx.Put(kEndpoints, EndpointKey(s), s.id.Bytes()));
    Delivery mail = ConfirmationMail(s, token, topic);
    FW_TRY(outbox_.Add(tx, mail.message_id, {mail}));
    return s;
  });
}

Result<Subscription> TopicService::Confirm(std::string_view topic_arn, std::string_view token,
                                           bool authenticate_on_unsubscribe) {
  FW_ASSIGN(std::string name, TopicNameOf(topic_arn));
  std::string hash = crypto::Sha256Hex(token);
  return store::WriteFor<Subscription>(store_, "confirmation", [&](store::Transaction& tx) -> Result<Subscription> {
    FW_TRY(LoadTopic(tx, name));
    std::optional<Subscription> match;
    Status fault;
    std::string prefix = name + '\0';
    FW_TRY(tx.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
      auto s = DecodeSubscription(value);
      if (!s.ok()) {
        fault = s.error();
        return false;
      }
      if (crypto::ConstantTimeEquals(s->token_hash, hash)) match = std::move(*s);
      return !match;
    }));
    FW_TRY(fault);
    if (!match || (!match->confirmed && match->created + kTokenLife < clock_.Now())) {
      return Error(Code::kInvalidArgument, "Invalid token");
    }
    if (match->confirmed) return *match;  // the link was opened twice
    match->confirmed = true;
    match->confirmation_authenticated = authenticate_on_unsubscribe;
    FW_TRY(tx.Put(kSubscriptions, SubscriptionKey(*match), Encode(*match)));
    return *match;
  });
}

namespace {

struct SubscriptionName {
  std::string topic;
  Id128 id;
  std::string key;
};

Result<SubscriptionName> ParseSubscriptionArn(const TopicService& topics, std::string_view arn) {
  std::size_t colon = arn.rfind(':');
  auto id = colon == std::string_view::npos ? std::nullopt : Id128::Parse(arn.substr(colon + 1));
  if (!id || arn.substr(0, 12) != "arn:aws:sns:") {
    return Error(Code::kInvalidArgument, "Invalid parameter: SubscriptionArn");
  }
  FW_ASSIGN(std::string topic, topics.TopicNameOf(arn.substr(0, colon)));
  std::string key = topic + '\0' + id->Bytes();
  return SubscriptionName{std::move(topic), *id, std::move(key)};
}

Result<Subscription> LoadSubscription(const store::Reader& reader, const SubscriptionName& name) {
  FW_ASSIGN(auto stored, reader.Get(kSubscriptions, name.key));
  if (!stored) return Error(Code::kNotFound, "Subscription does not exist");
  return DecodeSubscription(*stored);
}

}  // namespace

Status TopicService::Unsubscribe(std::string_view actor, std::string_view subscription_arn, bool authenticated) {
  FW_ASSIGN(SubscriptionName name, ParseSubscriptionArn(*this, subscription_arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    auto s = LoadSubscription(tx, name);
    if (!s.ok()) {
      if (s.error().code() == Code::kNotFound) return {};  // idempotent, as the service
      return std::move(s).error();
    }
    if (!authenticated && (s->confirmation_authenticated || !s->confirmed)) {
      return Error(Code::kPermissionDenied, "This subscription can be ended by a signed call only");
    }
    FW_TRY(tx.Erase(kEndpoints, EndpointKey(*s)));
    return tx.Erase(kSubscriptions, name.key);
  });
}

Result<Subscription> TopicService::GetSubscription(std::string_view arn) const {
  FW_ASSIGN(SubscriptionName name, ParseSubscriptionArn(*this, arn));
  return store::ReadFor<Subscription>(store_,
                                      [&](const store::Reader& reader) { return LoadSubscription(reader, name); });
}

Status TopicService::SetSubscriptionAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                              const std::string& value) {
  FW_ASSIGN(SubscriptionName id, ParseSubscriptionArn(*this, arn));
  FW_TRY(CheckSubscriptionAttribute(name, value));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Subscription s, LoadSubscription(tx, id));
    s.attributes[name] = value;
    return tx.Put(kSubscriptions, id.key, Encode(s));
  });
}

Result<Page<Subscription>> TopicService::ListSubscriptions(std::string_view topic_arn, std::string_view from,
                                                           std::size_t limit) const {
  std::string prefix;
  if (!topic_arn.empty()) {
    FW_ASSIGN(prefix, TopicNameOf(topic_arn));
    prefix += '\0';
  }
  return store::ReadFor<Page<Subscription>>(store_, [&](const store::Reader& reader) -> Result<Page<Subscription>> {
    if (!prefix.empty()) FW_TRY(LoadTopic(reader, std::string_view(prefix).substr(0, prefix.size() - 1)));
    Page<Subscription> page;
    Status fault;
    FW_TRY(reader.Scan(kSubscriptions, from.empty() ? std::string_view(prefix) : from,
                       prefix.empty() ? "" : After(prefix), [&](std::string_view key, std::string_view value) {
                         if (page.items.size() == limit) {
                           page.next = key;
                           return false;
                         }
                         auto s = DecodeSubscription(value);
                         if (!s.ok()) {
                           fault = s.error();
                           return false;
                         }
                         page.items.push_back(std::move(*s));
                         return true;
                       }));
    FW_TRY(fault);
    return page;
  });
}

Result<std::pair<std::size_t, std::size_t>> TopicService::CountSubscriptions(std::string_view topic_arn) const {
  FW_ASSIGN(auto page, ListSubscriptions(topic_arn, "", settings_.max_subscriptions_per_topic));
  std::size_t confirmed = 0;
  for (const auto& s : page.items) confirmed += s.confirmed ? 1 : 0;
  return std::pair(confirmed, page.items.size() - confirmed);
}

std::string TopicService::UnsubscribeUrl(const Subscription& s) const {
  return settings_.public_url + "/?Action=Unsubscribe&SubscriptionArn=" + PercentEncode(SubscriptionArn(s));
}

Status TopicService::CheckMessage(const Message& message) const {
  if (message.subject.size() > 100 || HasControl(message.subject) || !IsUtf8(message.subject)) {
    return Error(Code::kInvalidArgument,
                 "Invalid parameter: Subject must be at most 100 characters without line breaks or control characters");
  }
  if (message.body.empty() && message.per_protocol.empty()) {
    return Error(Code::kInvalidArgument, "Invalid parameter: Empty message");
  }
  if (message.body.size() > kMaxMessage) return Error(Code::kInvalidArgument, "Invalid parameter: Message too long");
  return {};
}

Status TopicService::Queue(store::Transaction& tx, const std::string& name, const Id128& message_id,
                           const Message& message) {
  FW_ASSIGN(bool taken, Outbox::Taken(tx, message_id));
  if (taken) return {};
  FW_ASSIGN(Topic topic, LoadTopic(tx, name));
  std::vector<Delivery> deliveries;
  std::string prefix = name + '\0';
  FW_TRY(tx.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
    auto s = DecodeSubscription(value);
    if (!s.ok() || !s->confirmed) return true;
    Delivery d;
    d.message_id = message_id;
    d.subscription_id = s->id;
    d.kind = "notification";
    d.topic = TopicArn(name);
    d.protocol = s->protocol;
    d.endpoint = s->endpoint;
    auto sender = topic.attributes.find("DisplayName");
    if (sender != topic.attributes.end()) d.sender_name = sender->second;
    d.subject = message.subject;
    auto own = message.per_protocol.find(s->protocol);
    if (own == message.per_protocol.end()) own = message.per_protocol.find("default");
    d.body = own == message.per_protocol.end() ? message.body : own->second;
    d.footer = "To end this subscription:\n" + UnsubscribeUrl(*s);
    d.created = clock_.Now();
    deliveries.push_back(std::move(d));
    return true;
  }));
  return outbox_.Add(tx, message_id, deliveries);
}

Status TopicService::Publish(std::string_view topic_arn, const Id128& message_id, const Message& message) {
  FW_ASSIGN(std::string name, TopicNameOf(topic_arn));
  FW_TRY(CheckMessage(message));
  return store_.Write([&](store::Transaction& tx) { return Queue(tx, name, message_id, message); });
}

Status TopicService::PublishAll(std::span<const Publication> publications, std::size_t& missing) {
  std::size_t left_out = 0;
  FW_TRY(store_.Write([&](store::Transaction& tx) -> Status {
    for (const Publication& p : publications) {
      auto name = TopicNameOf(p.topic_arn);
      Status queued = !name.ok() ? Status(name.error()) : CheckMessage(p.message);
      if (queued.ok()) queued = Queue(tx, *name, p.message_id, p.message);
      if (queued.ok()) continue;
      Code code = queued.error().code();
      if (code != Code::kNotFound && code != Code::kInvalidArgument) return queued;
      ++left_out;
    }
    return {};
  }));
  missing += left_out;
  return {};
}

Status TopicService::ExpirePending() {
  return store_.Write([&](store::Transaction& tx) -> Status {
    std::vector<Subscription> old;
    Timestamp horizon = clock_.Now() - kPendingLife;
    FW_TRY(tx.Scan(kSubscriptions, "", "", [&](std::string_view, std::string_view value) {
      auto s = DecodeSubscription(value);
      if (s.ok() && !s->confirmed && s->created < horizon) old.push_back(std::move(*s));
      return true;
    }));
    for (const auto& s : old) {
      FW_TRY(tx.Erase(kEndpoints, EndpointKey(s)));
      FW_TRY(tx.Erase(kSubscriptions, SubscriptionKey(s)));
    }
    return {};
  });
}

}  // namespace fleetward::notify
