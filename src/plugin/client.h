// What the plugin knows of one of the broker's clients, online or a session that waits for its return.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "counts.h"
#include "fleetward/policy/device_session.h"
#include "rate_limit.h"
#include "report_topic.h"

namespace fleetward::plugin {

struct Client {
  Client(const void* broker_client, std::string client_id, std::uint64_t publishes_per_second)
      : key(broker_client), id(std::move(client_id)), rate(publishes_per_second) {}

  std::string_view FingerprintView() const {
    return {reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()};
  }
  bool ready() const { return online && !superseded; }

  const void* key;  // the broker's `struct mosquitto*`
  std::string id;
  policy::Fingerprint fingerprint{};
  std::string source_ip;
  std::uint64_t connection = 0;
  std::uint64_t version_number = 0;
  std::uint8_t protocol = 4;
  bool clean_session = true;
  bool control = false;      // the server's own connection: no rules, no counting
  bool online = true;
  bool superseded = false;   // a new connection with this id was admitted; DISCONNECT follows (trap 1)
  std::int64_t forget_ms = 0;  // event time at which an offline session is forgotten
  report::DisconnectReason reason = report::DisconnectReason::kUnknown;  // why the plugin ends it
  std::unique_ptr<policy::DeviceSession> rights;

  Counts counts;
  bool dirty = false;
  RateLimit rate;
  std::uint64_t seen_generation = 0;        // last publish counted as received
  const void* seen_topic = nullptr;
  std::size_t seen_payload = 0;             // its hash: topics of answers may share an address one after the other

  // The last publish's decision: most devices publish to one topic.
  std::string topic;
  bool topic_retain = false;
  std::uint64_t topic_generation = ~std::uint64_t{0};
  std::int64_t topic_until_ms = 0;          // conditions may look at the time: asked again each second
  policy::Refusal topic_refusal = policy::Refusal::kNone;
  bool topic_is_report = false;
  ReportTopic report_topic;                 // view into `topic`
  bool report_foreign = false;
};

}  // namespace fleetward::plugin
