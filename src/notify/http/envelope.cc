#include "envelope.h"

#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::notify {
namespace {

using nlohmann::ordered_json;

// What JSON cannot carry is replaced before it is signed: the receiver signs what it reads.
std::string Clean(const std::string& text) {
  if (IsUtf8(text)) return text;
  std::string quoted = ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return ordered_json::parse(quoted).get<std::string>();
}

bool IsNotification(const Delivery& d) { return d.kind == "notification"; }

}  // namespace

std::string_view MessageType(const Delivery& d) {
  if (IsNotification(d)) return "Notification";
  return d.kind == "unsubscribe-confirmation" ? "UnsubscribeConfirmation" : "SubscriptionConfirmation";
}

std::string StringToSign(const Delivery& d) {
  std::string out;
  auto add = [&out](std::string_view name, std::string_view value) {
    out.append(name).append("\n").append(value).append("\n");
  };
  add("Message", Clean(d.body));
  add("MessageId", d.message_id.Uuid());
  if (IsNotification(d)) {
    if (!d.subject.empty()) add("Subject", Clean(d.subject));
  } else {
    add("SubscribeURL", d.url);
  }
  add("Timestamp", Iso8601(d.created));
  if (!IsNotification(d)) add("Token", d.token);
  add("TopicArn", d.topic);
  add("Type", MessageType(d));
  return out;
}

std::string Envelope(const Delivery& d, const Signature& signature) {
  ordered_json j = {{"Type", MessageType(d)}, {"MessageId", d.message_id.Uuid()}};
  if (!IsNotification(d)) j["Token"] = d.token;
  j["TopicArn"] = d.topic;
  if (IsNotification(d) && !d.subject.empty()) j["Subject"] = Clean(d.subject);
  j["Message"] = Clean(d.body);
  if (!IsNotification(d)) j["SubscribeURL"] = d.url;
  j["Timestamp"] = Iso8601(d.created);
  j["SignatureVersion"] = std::to_string(d.signature_version);
  j["Signature"] = signature.base64;
  j["SigningCertURL"] = signature.certificate_url;
  if (IsNotification(d)) j["UnsubscribeURL"] = d.url;
  if (IsNotification(d) && !d.attributes.empty()) {
    ordered_json attributes = ordered_json::parse(d.attributes, nullptr, false);
    if (attributes.is_object()) j["MessageAttributes"] = std::move(attributes);
  }
  return j.dump(2);
}

}  // namespace fleetward::notify
