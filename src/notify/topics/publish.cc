// From a message to one delivery for each subscription that wants it.
#include "attributes.h"
#include "fleetward/notify/topics.h"
#include "records.h"

namespace fleetward::notify {
namespace {

const std::string& BodyFor(const Message& message, const std::string& protocol) {
  auto own = message.per_protocol.find(protocol);
  if (own == message.per_protocol.end()) own = message.per_protocol.find("default");
  return own == message.per_protocol.end() ? message.body : own->second;
}

}  // namespace

Status TopicService::Queue(store::Transaction& tx, const std::string& name, const Id128& message_id,
                           const Message& message) {
  FW_ASSIGN(bool taken, Outbox::Taken(tx, message_id));
  if (taken) return {};
  FW_ASSIGN(Topic topic, LoadTopic(tx, name));
  std::vector<Delivery> deliveries;
  // "Message attributes are sent only when the message structure is String" (developer guide).
  std::string attributes = message.per_protocol.empty() ? AttributesJson(message.attributes) : std::string();
  std::string prefix = name + '\0';
  FW_TRY(tx.Scan(kSubscriptions, prefix, After(prefix), [&](std::string_view, std::string_view value) {
    auto s = DecodeSubscription(value);
    if (!s.ok() || !s->confirmed) return true;
    const std::string& body = BodyFor(message, s->protocol);
    auto filter = FilterOf(*s);
    if (filter.ok() && *filter && !(*filter)->Wants(message, body)) return true;
    Delivery d = Addressed(*s, topic, "notification");
    d.message_id = message_id;
    d.subject = message.subject;
    d.body = body;
    d.url = UnsubscribeUrl(*s);
    if (d.IsSigned()) {
      d.attributes = attributes;
    } else {
      d.footer = "To end this subscription:\n" + d.url;
    }
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

}  // namespace fleetward::notify
