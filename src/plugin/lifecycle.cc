#include "lifecycle.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::plugin {
namespace {

using Json = nlohmann::ordered_json;

bool HasTopic(std::string_view client_id) {
  return !client_id.empty() && client_id.find_first_of("+#") == std::string_view::npos;
}

std::string TopicOf(std::string_view kind, std::string_view client_id) {
  return "$aws/events/" + std::string(kind) + "/" + std::string(client_id);
}

/// Ids may hold anything that is not UTF-8 when they were refused for it.
std::string Text(const Json& event) { return event.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json Event(std::string_view client_id, std::int64_t now_ms, std::string_view type, const Id128& session,
           std::string_view fingerprint) {
  return {{"clientId", client_id},
          {"timestamp", now_ms},
          {"eventType", type},
          {"sessionIdentifier", session.Uuid()},
          {"principalIdentifier", HexEncode(fingerprint)}};
}

}  // namespace

void Lifecycle::Connected(const Client& client, std::int64_t now_ms) {
  if (!HasTopic(client.id)) return;
  Json event = Event(client.id, now_ms, "connected", client.session, client.FingerprintView());
  event["ipAddress"] = client.source_ip;
  event["versionNumber"] = client.version_number;
  publish_(TopicOf("presence/connected", client.id), Text(event));
}

void Lifecycle::Disconnected(const Ended& ended) {
  if (!HasTopic(ended.client_id)) return;
  Json event = Event(ended.client_id, ended.event_time_ms, "disconnected", ended.session, ended.fingerprint);
  event["clientInitiatedDisconnect"] = ended.reason == report::DisconnectReason::kClientInitiated;
  event["disconnectReason"] = report::DisconnectReasonName(ended.reason);
  event["versionNumber"] = ended.version_number;
  publish_(TopicOf("presence/disconnected", ended.client_id), Text(event));
}

void Lifecycle::ConnectFailed(std::string_view client_id, std::string_view fingerprint, std::string_view address,
                              std::int64_t now_ms) {
  if (!HasTopic(client_id) || failures_ >= kMaxFailuresPerSecond) return;
  ++failures_;
  Json event = Event(client_id, now_ms, "connect_failed", Id128::Random(), fingerprint);
  event["connectFailureReason"] = "AUTHORIZATION_FAILED";
  event["ipAddress"] = address;
  publish_(TopicOf("presence/connect_failed", client_id), Text(event));
}

void Lifecycle::Note(const Client& client, std::string_view filter, bool subscribed) {
  if (!HasTopic(client.id) || topics_waiting_ >= kMaxWaiting) return;
  ++topics_waiting_;
  bool same = !waiting_.empty() && waiting_.back().session == client.session &&
              waiting_.back().subscribed == subscribed;
  if (!same) waiting_.push_back({subscribed, client.id, std::string(client.FingerprintView()), client.session, {}});
  waiting_.back().topics.emplace_back(filter);
}

void Lifecycle::EndTurn(std::int64_t now_ms) {
  topics_waiting_ = 0;
  for (const Change& change : std::exchange(waiting_, {})) {
    const char* type = change.subscribed ? "subscribed" : "unsubscribed";
    Json event = Event(change.client_id, now_ms, type, change.session, change.fingerprint);
    event["topics"] = change.topics;
    publish_(TopicOf(std::string("subscriptions/") + type, change.client_id), Text(event));
  }
}

}  // namespace fleetward::plugin
