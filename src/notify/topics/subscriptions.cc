// Subscriptions that exist: reading, changing, ending them.
#include <algorithm>

#include "attributes.h"
#include "fleetward/base/encoding.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/notify/topics.h"
#include "records.h"

namespace fleetward::notify {
namespace {

// A notice must not become a flood of its own.
constexpr std::size_t kMaxNotices = 100;
constexpr std::size_t kExpiredAtOnce = 200;  // others' writes come in between

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

std::string TopicService::UnsubscribeToken(const Subscription& s) const {
  return HexEncode(crypto::HmacSha256(settings_.link_key, "unsubscribe " + s.topic + ' ' + s.id.Hex())).substr(0, 40);
}

std::string TopicService::UnsubscribeUrl(const Subscription& s) const {
  return settings_.public_url + "/?Action=Unsubscribe&SubscriptionArn=" + SubscriptionArn(s) + "&Token=" +
         UnsubscribeToken(s);
}

Delivery TopicService::Ended(const Subscription& s, std::string_view token, const Topic& topic) const {
  Delivery d = Addressed(s, topic, "unsubscribe-confirmation");
  d.url = ConfirmUrl(s, token);
  d.token = token;
  if (d.IsHttp()) {
    d.body = "You have chosen to deactivate subscription " + d.subscription_arn +
             ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.";
    return d;
  }
  d.subject = "AWS Notification - Unsubscribe Confirmation";
  d.body = "This address gets no more alerts of the topic\n" + d.topic +
           "\n\nThe link in one of its mails was used to end the subscription. If that was not you, restore it (valid for "
           "two days):\n" + d.url;
  return d;
}

// Whoever has a mail can end its subscription; those who still get alerts learn of it (threats.md o).
Status TopicService::NotifyOthers(store::Transaction& tx, const Subscription& ended, const Topic& topic) {
  std::vector<Delivery> notices;
  Id128 message_id = Id128::Random();
  std::string prefix = ended.topic + '\0';
  FW_TRY(tx.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
    auto other = DecodeSubscription(value);
    bool told = other.ok() && other->confirmed && other->id != ended.id && other->protocol.starts_with("email");
    if (!told) return true;
    Delivery d = Addressed(*other, topic, "notice");
    d.message_id = message_id;
    d.subject = "AWS Notification - A subscription was ended";
    d.body = "The endpoint\n" + ended.endpoint + "\ngets no more alerts of the topic\n" + d.topic +
             "\n\nIts subscription was ended by the link in one of its messages. Nothing changes for this address.";
    d.footer = "To end this subscription:\n" + UnsubscribeUrl(*other);
    notices.push_back(std::move(d));
    return notices.size() < kMaxNotices;
  }));
  return outbox_.Add(tx, message_id, notices);
}

Status TopicService::End(store::Transaction& tx, Subscription s, bool is_signed) {
  FW_ASSIGN(Topic topic, LoadTopic(tx, s.topic));
  FW_ASSIGN(TopicCounts counts, LoadCounts(tx, s.topic));
  --counts.confirmed;
  ++counts.deleted;
  FW_TRY(StoreCounts(tx, s.topic, counts));
  FW_TRY(tx.Erase(kEndpoints, EndpointKey(s)));
  FW_TRY(tx.Erase(kSubscriptions, SubscriptionKey(s)));
  std::string token = NewToken(s);
  FW_TRY(tx.Put(kEnded, SubscriptionKey(s), Encode(s)));
  FW_TRY(tx.Put(kAging, AgingKey(s.created, SubscriptionKey(s)), ""));
  Delivery told = Ended(s, token, topic);
  if (told.IsHttp() || !is_signed) FW_TRY(outbox_.Add(tx, told.message_id, {told}));
  return is_signed ? Status() : NotifyOthers(tx, s, topic);
}

Result<UnsubscribeOutcome> TopicService::Unsubscribe(std::string_view actor, std::string_view subscription_arn,
                                                     const UnsubscribeProof& proof) {
  FW_ASSIGN(SubscriptionName name, ParseSubscriptionArn(*this, subscription_arn));
  Subscription named;
  named.topic = name.topic;
  named.id = name.id;
  // Before anything tells whether the subscription exists.
  if (!proof.is_signed && !crypto::ConstantTimeEquals(proof.token, UnsubscribeToken(named))) {
    return Error(Code::kPermissionDenied, "The link is not valid: it was changed, or a signed call is needed");
  }
  return store::WriteFor<UnsubscribeOutcome>(store_, actor, [&](store::Transaction& tx) -> Result<UnsubscribeOutcome> {
    auto s = LoadSubscription(tx, name);
    if (!s.ok()) {
      if (s.error().code() == Code::kNotFound) return UnsubscribeOutcome::kEnded;  // idempotent, as the service
      return std::move(s).error();
    }
    if (!s->confirmed) {
      return Error(Code::kInvalidArgument,
                   "Invalid parameter: SubscriptionArn Reason: a pending subscription cannot be ended; it vanishes after "
                   "three days");
    }
    if (!proof.is_signed && s->protected_unsubscribe) {
      return Error(Code::kPermissionDenied, "This subscription can be ended by a signed call only");
    }
    // Mail programs and scanners open links by themselves.
    if (!proof.is_signed && !proof.asked && s->protocol.starts_with("email")) return UnsubscribeOutcome::kAsk;
    FW_TRY(End(tx, std::move(*s), proof.is_signed));
    return UnsubscribeOutcome::kEnded;
  });
}

Result<Subscription> TopicService::GetSubscription(std::string_view arn) const {
  FW_ASSIGN(SubscriptionName name, ParseSubscriptionArn(*this, arn));
  return store::ReadFor<Subscription>(store_,
                                      [&](const store::Reader& reader) { return LoadSubscription(reader, name); });
}

Result<std::string> TopicService::EffectiveDeliveryPolicy(const Subscription& s) const {
  FW_ASSIGN(Topic topic, GetTopic(TopicArn(s.topic)));
  Delivery d = Addressed(s, topic, "");
  return d.IsHttp() ? SubscriptionDeliveryPolicyJson(d.policy) : std::string();
}

Status TopicService::SetSubscriptionAttribute(std::string_view actor, std::string_view arn, const std::string& name,
                                              const std::string& value) {
  FW_ASSIGN(SubscriptionName id, ParseSubscriptionArn(*this, arn));
  return store_.Write(actor, [&](store::Transaction& tx) -> Status {
    FW_ASSIGN(Subscription s, LoadSubscription(tx, id));
    FW_ASSIGN(Topic topic, LoadTopic(tx, s.topic));
    FW_TRY(SetAttribute(s, name, value, DeliveryPolicyOf(topic).policy));
    FW_TRY(CheckFilter(s));
    if (name == "FilterPolicy") FW_TRY(CheckLimits(tx, s, false));
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

namespace {

constexpr std::string_view kOrdered = "\xff";  // behind all times

// What an older release wrote has no row of kAging: it gets one, once.
Status OrderByAge(store::Transaction& tx) {
  FW_ASSIGN(auto done, tx.Get(kAging, kOrdered));
  if (done) return {};
  std::vector<std::string> rows;
  for (const store::Table& table : {kSubscriptions, kEnded}) {
    FW_TRY(tx.Scan(table, "", "", [&](std::string_view key, std::string_view value) {
      auto s = DecodeSubscription(value);
      if (s.ok() && (table.name == kEnded.name || !s->confirmed)) rows.push_back(AgingKey(s->created, key));
      return true;
    }));
  }
  for (const std::string& row : rows) FW_TRY(tx.Put(kAging, row, ""));
  return tx.Put(kAging, kOrdered, "");
}

Status Expire(store::Transaction& tx, std::string_view key, Timestamp horizon) {
  auto aged = [&](const std::optional<std::string>& stored) -> std::optional<Subscription> {
    if (!stored) return std::nullopt;
    auto s = DecodeSubscription(*stored);
    if (!s.ok() || s->created >= horizon) return std::nullopt;
    return std::move(*s);
  };
  FW_ASSIGN(auto ended, tx.Get(kEnded, key));
  if (aged(ended)) FW_TRY(tx.Erase(kEnded, key));
  FW_ASSIGN(auto stored, tx.Get(kSubscriptions, key));
  auto s = aged(stored);
  if (!s || s->confirmed) return {};
  FW_ASSIGN(TopicCounts counts, LoadCounts(tx, s->topic));
  --counts.pending;
  FW_TRY(StoreCounts(tx, s->topic, counts));
  FW_TRY(tx.Erase(kEndpoints, EndpointKey(*s)));
  return tx.Erase(kSubscriptions, key);
}

/// True when there may be more.
Result<bool> ExpireSome(store::Transaction& tx, Timestamp horizon) {
  FW_TRY(OrderByAge(tx));
  std::vector<std::string> due;
  FW_TRY(tx.Scan(kAging, "", AgingKey(horizon, ""), [&](std::string_view row, std::string_view) {
    due.emplace_back(row);
    return due.size() < kExpiredAtOnce;
  }));
  for (const std::string& row : due) {
    FW_TRY(Expire(tx, SubscriptionKeyOf(row), horizon));
    FW_TRY(tx.Erase(kAging, row));
  }
  return due.size() == kExpiredAtOnce;
}

}  // namespace

Status TopicService::ExpirePending() {
  for (bool more = true; more;) {
    FW_ASSIGN(more, store::WriteFor<bool>(store_, "system", [&](store::Transaction& tx) {
                return ExpireSome(tx, clock_.Now() - kPendingLife);
              }));
  }
  return {};
}

}  // namespace fleetward::notify
