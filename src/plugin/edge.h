// The plugin without the broker: takes its events as plain values and decides, counts and forwards. One thread, the
// broker's; the C entry points (entry.cc) translate, tests drive it with a broker of their own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "certificate_use.h"
#include "client.h"
#include "client_table.h"
#include "disconnect_reasons.h"
#include "event_clock.h"
#include "fleetward/base/clock.h"
#include "fleetward/bus/frame_sender.h"
#include "fleetward/crypto/peer_verifier.h"
#include "fleetward/policy/decision_cache.h"
#include "fleetward/policy/snapshot_state.h"
#include "fleetward/report/edge_command.h"
#include "lifecycle.h"
#include "options.h"
#include "record_batches.h"
#include "refusals.h"
#include "retained.h"
#include "snapshot_file.h"
#include "topic_dimensions.h"

namespace fleetward::plugin {

/// What the core asks of the broker. Calls may come back as OnDisconnect before they return.
class Broker {
 public:
  virtual ~Broker() = default;
  virtual void Kick(const std::string& client_id, bool with_will) = 0;
  /// QoS 0, not retained, routed before the broker looks at its sockets again; each receiver is checked as ever.
  virtual void Publish(const std::string& topic, std::string_view payload) = 0;
  /// False when the socket of this client is full: the broker keeps what was sent to it, without a bound in bytes.
  virtual bool TakesMore(const void* client) = 0;
  virtual void Log(std::string_view line) = 0;
  /// The certificate of a client that is just connecting, DER; empty if there is none.
  virtual std::string CertificateOf(const void* client) = 0;
};

enum class Verdict {
  kAllow,
  kDeny,   // MOSQ_ERR_ACL_DENIED
  kClose,  // MOSQ_ERR_AUTH: the broker closes the connection
};

/// A CONNECT, or the check again of a known session (SIGHUP).
struct ConnectRequest {
  const void* client = nullptr;  // the broker's `struct mosquitto*`: the only key (trap 1)
  std::string_view client_id;
  std::string_view address;      // IP, or the path of a Unix listener
  std::optional<policy::Fingerprint> certificate;
  std::string_view password;
  int protocol = 4;
  bool clean_session = true;
};

class Edge {
 public:
  Edge(Options options, std::string control_secret, Id128 start, const Clock& clock, Broker& broker);

  /// Opens sockets and loads the snapshot if there is one. Error: kIo.
  Status Start();

  /// A TLS handshake asks, before its certificate's chain is looked at.
  crypto::PeerStanding StandingOf(const policy::Fingerprint& fingerprint) const;
  /// That handshake fails; the broker's DISCONNECT of a nameless client follows, which knows the address.
  void OnHandshakeRefused(const policy::Fingerprint& fingerprint, crypto::PeerStanding standing, std::string_view why);
  Verdict OnConnect(const ConnectRequest& request);
  Verdict OnPublish(const void* client, std::string_view topic, std::string_view payload, int qos, bool retain);
  /// `sub_count`: subscriptions the client has already.
  Verdict OnSubscribe(const void* client, std::string_view filter, std::uint64_t sub_count);
  /// `topic_pointer`: where the broker holds the message's topic; the same for all READs of one message (trap 2).
  /// `retain`: the message was published so.
  Verdict OnReceive(const void* client, std::string_view topic, const void* topic_pointer,
                    std::string_view payload = {}, bool retain = false);
  void OnUnsubscribe(const void* client, std::string_view filter);
  /// `client_id` is null for connections that never were sessions (trap 5).
  void OnDisconnect(const void* client, const char* client_id, std::string_view address, bool had_certificate);
  void OnControl(const void* client, std::string_view payload);
  /// SIGHUP: until the next tick, sessions without a certificate are checked again (trap 7).
  void OnReload() { rechecking_ = true; }
  void OnTick();
  /// The broker ends: sends what can be sent.
  void Stop();

  const policy::SnapshotState& policies() const { return policies_; }
  std::size_t clients() const { return clients_.size(); }

 private:
  // connections (edge_connect.cc)
  Verdict ConnectControl(const ConnectRequest& request);
  Verdict Refuse(const ConnectRequest& request, report::RefusalReason reason);
  void OfferForRegistration(const ConnectRequest& request);
  void Admit(const ConnectRequest& request, std::unique_ptr<policy::DeviceSession> rights);
  void EndOnline(Client& client);
  void Forget(const void* key);
  std::uint64_t NextVersion(const std::string& client_id);
  void PruneSessions();

  // requests (edge_traffic.cc)
  Client* Find(const void* key);
  policy::Refusal AskPublish(Client& client, std::string_view topic, bool retain, std::int64_t now);
  policy::Refusal AskReceive(Client& client, std::string_view topic, std::int64_t now);
  Verdict Denied(Client& client, std::string_view topic, policy::Refusal refusal, bool silent_ok);
  TopicDimensions::Mask DimensionsOf(const Client& client, LastTopic& last, std::string_view topic);
  template <class F>
  void CountByTopic(Client& client, TopicDimensions::Mask mask, F&& f);
  bool MayWait(Client& client, std::size_t bytes);
  void ForwardReport(Client& client, const ReportTopic& topic, std::string_view payload, std::int64_t now);
  bool ReadsAnswers(Client& client);
  void MarkDirty(Client& client);
  void EmitRefused(const report::RefusedFrame& frame);

  // time (edge_tick.cc)
  void EverySecond();
  void Watch(Client& client);
  void EndOverdue(Timestamp now);
  void RollBucketIfDue(std::int64_t event_ms);
  void OpenBucket(std::int64_t event_ms);
  void FlushCounters(bool bucket_end, bool clock_step);
  template <class Put>
  void TakeRecords(Client& client, Put&& put);
  void SendRecords(const RecordBatches& batches, std::uint8_t flags);
  std::vector<Client*> TakeDirty(bool all_online);
  void CloseRecord(Client& client);
  void Loaded(const Status& status);
  void PublishAll(std::string_view messages);
  bool DisconnectClient(std::string_view client_id, bool send_will);
  bool HasSession(std::string_view client_id) const;
  void NoteRetained(const Client& client, std::string_view topic, std::string_view payload, int qos, std::int64_t now);
  void ApplyDelta(std::string_view delta);
  void TakeDimensions();
  void Recheck();
  void KickAll(const std::vector<const void*>& keys);
  void EmitEnded(const Ended& ended);
  Timestamp Now() const { return FromMillis(clock_.NowMs()); }

  Options options_;
  policy::DeviceRules rules_;
  std::string control_secret_;
  EventClock clock_;
  Broker& broker_;
  bus::FrameSender sender_;
  policy::SnapshotState policies_;
  policy::DecisionCache cache_;
  TopicDimensions dimensions_;
  std::vector<policy::DimensionEntry> known_dimensions_;  // as they came
  SnapshotFile snapshot_;
  CertificateUses uses_;
  Refusals refusals_;
  DisconnectReasons reasons_;
  Lifecycle lifecycle_;
  RetainedMessages retained_;

  ClientTable clients_;
  std::unordered_map<std::string_view, Client*> online_;  // by client id; views into the clients
  std::unordered_set<const void*> refused_;               // their DISCONNECT says nothing new
  std::vector<const void*> ended_;                        // clean sessions to forget at the next tick
  std::vector<const void*> superseded_;
  std::vector<const void*> dirty_;                        // clients with something to count
  std::set<std::pair<Timestamp, const void*>> expiries_;  // of the certificates of clients online
  std::unordered_set<const void*> timed_;                 // clients online whose policies look at the time
  struct Versions {
    std::uint64_t next = 0;
    std::int64_t offline_since_ms = -1;
  };
  std::unordered_map<std::string, Versions> versions_;

  struct FailedHandshake {
    policy::Fingerprint fingerprint{};
    crypto::PeerStanding standing = crypto::PeerStanding::kUnknown;
    std::string why;
  };
  std::optional<FailedHandshake> failed_handshake_;  // its DISCONNECT is the next of a nameless client
  std::uint32_t offered_ = 0;                        // certificates sent to the server this second

  bool rechecking_ = false;
  std::uint64_t publish_generation_ = 1;
  std::uint64_t next_connection_ = 1;
  std::int64_t bucket_start_ms_ = 0;
  std::int64_t bucket_end_ms_ = 0;
  bool bucket_stepped_ = false;
  std::int64_t next_second_ms_ = 0;   // monotonic
  std::int64_t next_prune_ms_ = 0;
  RecordBatches left_;                // records of clients that left since the last flush
  // Re-check of all connections after a change of policies, in slices.
  std::vector<const void*> recheck_;
  bool applied_pending_ = false;
};

}  // namespace fleetward::plugin
