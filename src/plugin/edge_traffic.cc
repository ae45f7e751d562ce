// Publishes, subscriptions, deliveries: decided, counted, reports forwarded.
#include <functional>

#include "edge.h"

namespace fleetward::plugin {
namespace {

constexpr std::size_t kIdentityBytes = 256;  // an answer's id and time are in front

}  // namespace

Client* Edge::Find(const void* key) { return clients_.Find(key); }

void Edge::MarkDirty(Client& client) {
  if (client.dirty) return;
  client.dirty = true;
  dirty_.push_back(client.key);
}

/// The last topic's answer again, or a new one.
policy::Refusal Edge::AskPublish(Client& client, std::string_view topic, bool retain, std::int64_t now) {
  LastTopic& last = client.last_topic;
  if (last.generation == policies_.generation() && now < last.until_ms && last.retain == retain && last.Is(topic)) {
    return last.refusal;
  }
  last.refusal = client.rights->CanPublish(topic, retain, FromMillis(now));
  last.retain = retain;
  last.generation = policies_.generation();
  last.until_ms = now - now % 1000 + 1000;
  if (!last.Is(topic)) last.Remember(topic);
  return last.refusal;
}

policy::Refusal Edge::AskReceive(Client& client, std::string_view topic, std::int64_t now) {
  LastTopic& last = client.last_received;
  if (last.generation == policies_.generation() && now < last.until_ms && last.Is(topic)) return last.refusal;
  last.refusal = client.rights->CanReceive(topic, FromMillis(now));
  last.generation = policies_.generation();
  last.until_ms = now - now % 1000 + 1000;
  if (!last.Is(topic)) last.Remember(topic);
  return last.refusal;
}

/// The dimensions of the topic that `last` remembers.
TopicDimensions::Mask Edge::DimensionsOf(const Client& client, LastTopic& last, std::string_view topic) {
  if (last.dimensions_generation != dimensions_.generation()) {
    last.dimensions = dimensions_.MaskOf(topic, client.id);
    // A topic that was too long to be remembered is asked for each time.
    last.dimensions_generation = last.Is(topic) ? dimensions_.generation() : 0;
  }
  return last.dimensions;
}

template <class F>
void Edge::CountByTopic(Client& client, TopicDimensions::Mask mask, F&& f) {
  if (!client.topic_counts || !client.topic_counts->IsOf(dimensions_)) {
    client.topic_counts = std::make_unique<TopicCounts>(dimensions_);
  }
  client.topic_counts->Each(dimensions_, mask, f);
}

/// Whether somebody with this client's certificate asked for answers. It may become so while the client is connected,
/// not cease.
bool Edge::ReadsAnswers(Client& client) {
  if (!client.reads_answers && client.answers_generation != uses_.answers_generation()) {
    client.answers_generation = uses_.answers_generation();
    client.reads_answers = uses_.ReadsAnswers(client.fingerprint);
  }
  return client.reads_answers;
}

Verdict Edge::OnPublish(const void* key, std::string_view topic, std::string_view payload, int qos, bool retain) {
  ++publish_generation_;
  retained_.Closed();
  Client* client = Find(key);
  if (client == nullptr) return Verdict::kDeny;
  if (client->control) return Verdict::kAllow;
  if (!client->ready()) {
    // A last will: checked, but not a message that the device sent (D41).
    if (client->rights->CanPublish(topic, retain, Now()) != policy::Refusal::kNone) return Verdict::kDeny;
    if (retain && !uses_.Retain(client->fingerprint, topic, payload.empty())) return Verdict::kDeny;  // threats.md g
    if (retain) NoteRetained(*client, topic, payload, qos, clock_.NowMs());
    return Verdict::kAllow;
  }
  std::int64_t monotonic = clock_.MonotonicMs();  // read once: this is the hot path
  std::int64_t now = clock_.EventMs(monotonic);
  RollBucketIfDue(now);
  MarkDirty(*client);
  if (payload.size() > options_.max_payload_bytes) {
    client->reason = report::DisconnectReason::kClientError;
    return Verdict::kClose;
  }
  if (!client->rate.Take(monotonic)) {
    ++client->counts.messages_discarded;
    return Verdict::kDeny;
  }
  policy::Refusal refusal = AskPublish(*client, topic, retain, now);
  if (refusal != policy::Refusal::kNone) return Denied(*client, topic, refusal, client->protocol == 5 && qos > 0);
  if (retain && !uses_.Retain(client->fingerprint, topic, payload.empty())) {
    ++client->counts.messages_discarded;
    return Verdict::kDeny;
  }
  client->counts.AddSent(payload.size());
  if (!dimensions_.empty()) {
    CountByTopic(*client, DimensionsOf(*client, client->last_topic, topic),
                 [&](TopicCounts::Numbers& numbers) { AddMessage(numbers, payload.size()); });
  }
  if (client->last_topic.report) ForwardReport(*client, *client->last_topic.report, payload, now);
  if (retain) NoteRetained(*client, topic, payload, qos, now);
  return Verdict::kAllow;
}

void Edge::NoteRetained(const Client& client, std::string_view topic, std::string_view payload, int qos,
                        std::int64_t now) {
  retained_.Note(topic, payload.size(), qos, client.protocol == 5, now,
                 [this](const report::RetainedFrame& frame) { sender_.Add(frame); });
}

void Edge::OnUnsubscribe(const void* key, std::string_view filter) {
  Client* client = Find(key);
  if (client != nullptr && !client->control && client->ready()) lifecycle_.Unsubscribed(*client, filter);
}

void Edge::ForwardReport(Client& client, const ReportTopic& topic, std::string_view payload, std::int64_t now) {
  report::ReportFrame frame;
  frame.event_time_ms = now;
  frame.format = topic.format;
  frame.flags = topic.thing != client.id ? report::ReportFrame::kForeignThing : 0;
  if (ReadsAnswers(client)) frame.flags |= report::ReportFrame::kAnswerSubscribed;
  frame.thing = topic.thing;
  frame.client_id = client.id;
  frame.fingerprint = client.FingerprintView();
  frame.payload = payload;
  sender_.Add(frame);
}

/// Counts an authorization failure. `silent_ok`: the protocol can say no without closing (D30).
Verdict Edge::Denied(Client& client, std::string_view topic, policy::Refusal, bool silent_ok) {
  ++client.counts.authorization_failures;
  if (!dimensions_.empty()) {
    // Of a subscription, the text of the filter is what has to match (D41).
    CountByTopic(client, dimensions_.MaskOf(policy::StripShare(topic), client.id),
                 [](TopicCounts::Numbers& numbers) { ++numbers.authorization_failures; });
  }
  MarkDirty(client);
  report::RefusedFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.reason = report::RefusalReason::kDenied;
  frame.client_id = client.id;
  frame.fingerprint = client.FingerprintView();
  frame.source_ip = client.source_ip;
  frame.topic = topic.substr(0, 512);
  EmitRefused(frame);
  if (silent_ok) return Verdict::kDeny;
  client.reason = report::DisconnectReason::kAuthError;
  return Verdict::kClose;
}

Verdict Edge::OnSubscribe(const void* key, std::string_view filter, std::uint64_t sub_count) {
  ++publish_generation_;
  Client* client = Find(key);
  if (client == nullptr) return Verdict::kDeny;
  if (client->control) return Verdict::kAllow;
  RollBucketIfDue(clock_.NowMs());
  policy::Refusal refusal = client->rights->CanSubscribe(filter, Now());
  if (refusal != policy::Refusal::kNone) {
    bool silent = client->protocol == 5 || (client->protocol == 4 && !options_.close_on_denied_subscribe);
    return Denied(*client, filter, refusal, silent);
  }
  if (sub_count >= options_.max_subscriptions) {
    report::RefusedFrame frame;
    frame.event_time_ms = clock_.NowMs();
    frame.reason = report::RefusalReason::kLimit;
    frame.client_id = client->id;
    frame.fingerprint = client->FingerprintView();
    frame.source_ip = client->source_ip;
    frame.topic = filter.substr(0, 512);
    EmitRefused(frame);
    // MQTT 3.1 has no failure code in SUBACK.
    return client->protocol == 3 ? Verdict::kClose : Verdict::kDeny;
  }
  if (CouldMatchAnswers(policy::StripShare(filter))) uses_.SetReadsAnswers(client->fingerprint);
  retained_.Opened(key, filter);
  lifecycle_.Subscribed(*client, filter);
  return Verdict::kAllow;
}

/// Whether this much more may be kept for a client that may not be reading. The broker counts QoS 0 packets that wait,
/// not their bytes, and each is a copy: 64 clients of one certificate could hold 8 GB (threats.md g).
bool Edge::MayWait(Client& client, std::size_t bytes) {
  client.unread_bytes += bytes;
  if (client.unread_bytes <= options_.max_waiting_bytes) return true;
  if (!broker_.TakesMore(client.key)) return false;
  client.unread_bytes = bytes;
  return true;
}

Verdict Edge::OnReceive(const void* key, std::string_view topic, const void* topic_pointer,
                        std::string_view payload, bool retain) {
  Client* client = Find(key);
  // A session that the broker restored from disk: what is queued for it is checked again on its return.
  if (client == nullptr || client->control) return Verdict::kAllow;
  if (retained_.Withheld(key, topic, retain)) return Verdict::kDeny;
  std::int64_t now = clock_.NowMs();
  if (AskReceive(*client, topic, now) != policy::Refusal::kNone) return Verdict::kDeny;
  if (!client->ready()) return Verdict::kAllow;  // queued only (trap 3)
  std::size_t hash = std::hash<std::string_view>()(payload.substr(0, kIdentityBytes));
  if (client->seen_generation == publish_generation_ && client->seen_topic == topic_pointer &&
      client->seen_payload == hash) {
    return Verdict::kAllow;
  }
  RollBucketIfDue(now);
  MarkDirty(*client);
  if (!MayWait(*client, topic.size() + payload.size())) {
    ++client->counts.messages_discarded;
    return Verdict::kDeny;
  }
  client->seen_generation = publish_generation_;
  client->seen_topic = topic_pointer;
  client->seen_payload = hash;
  ++client->counts.messages_received;
  if (!dimensions_.empty()) {
    CountByTopic(*client, DimensionsOf(*client, client->last_received, topic),
                 [](TopicCounts::Numbers& numbers) { ++numbers.messages_received; });
  }
  return Verdict::kAllow;
}

}  // namespace fleetward::plugin
