// What the plugin knows of one of the broker's clients, online or a session that waits for its return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "counts.h"
#include "fleetward/base/id128.h"
#include "fleetward/policy/device_session.h"
#include "rate_limit.h"
#include "report_topic.h"
#include "topic_dimensions.h"

namespace fleetward::plugin {

/// The topic of a client's last publish, or of what it last received, and what was decided of it: most devices use one
/// topic each way. The text lies in the object, in memory that a publish touches anyway.
class LastTopic {
 public:
  /// As long as a topic may be (D43); a longer one is refused, and not remembered.
  static constexpr std::size_t kMaxBytes = 256;

  LastTopic() = default;
  LastTopic(const LastTopic&) = delete;
  LastTopic& operator=(const LastTopic&) = delete;

  bool Is(std::string_view topic) const { return topic == Text(); }
  std::string_view Text() const { return {text_, size_}; }
  void Remember(std::string_view topic) {
    size_ = topic.size() <= kMaxBytes ? static_cast<std::uint16_t>(topic.size()) : std::uint16_t{0};
    std::memcpy(text_, topic.data(), size_);
    dimensions_generation = 0;
    report = ParseReportTopic(Text());
  }

  std::uint64_t generation = ~std::uint64_t{0};  // of the policies that decided
  std::int64_t until_ms = 0;                     // conditions may look at the time: asked again each second
  policy::Refusal refusal = policy::Refusal::kNone;
  bool retain = false;
  std::optional<ReportTopic> report;             // views into the text

 private:
  std::uint16_t size_ = 0;
  char text_[kMaxBytes];

 public:
  std::uint64_t dimensions_generation = 0;       // of the mask; behind the text, as it is asked for only when used
  TopicDimensions::Mask dimensions = 0;
};

/// The members of a publish come first and lie together (ClientTable).
struct alignas(64) Client {
  static constexpr std::size_t kPublishBytes = 320;  // with a topic of usual length

  Client(const void* broker_client, std::string client_id, std::uint64_t publishes_per_second)
      : key(broker_client), rate(publishes_per_second), id(std::move(client_id)) {}

  std::string_view FingerprintView() const {
    return {reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()};
  }
  bool ready() const { return online && !superseded; }
  void Prefetch() const {
    const char* at = reinterpret_cast<const char*>(this);
    for (std::size_t line = 0; line < kPublishBytes; line += 64) __builtin_prefetch(at + line, 1);
  }

  const void* key;  // the broker's `struct mosquitto*`
  bool online = true;
  bool superseded = false;   // a new connection with this id was admitted; DISCONNECT follows (trap 1)
  bool control = false;      // the server's own connection: no rules, no counting
  bool dirty = false;
  bool clean_session = true;
  std::uint8_t protocol = 4;
  report::DisconnectReason reason = report::DisconnectReason::kUnknown;  // why the plugin ends it
  RateLimit rate;
  Counts counts;
  bool reads_answers = false;               // of its certificate (CertificateUses), as known at
  std::uint64_t answers_generation = 0;     // this one
  std::string id;
  policy::Fingerprint fingerprint{};
  LastTopic last_topic;

  std::unique_ptr<policy::DeviceSession> rights;
  std::string source_ip;
  std::uint64_t unread_bytes = 0;           // delivered since its socket was last seen to take more
  std::uint64_t connection = 0;
  std::uint64_t version_number = 0;
  Id128 session;             // of this connection, in lifecycle events
  std::int64_t forget_ms = 0;  // event time at which an offline session is forgotten
  Timestamp certificate_end{};
  std::uint64_t seen_generation = 0;        // last publish counted as received
  const void* seen_topic = nullptr;
  std::size_t seen_payload = 0;             // its hash: topics of answers may share an address one after the other
  LastTopic last_received;
  std::unique_ptr<TopicCounts> topic_counts;     // null: nothing to tell
};

}  // namespace fleetward::plugin
