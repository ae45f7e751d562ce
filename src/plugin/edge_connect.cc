// Connections: admitting, refusing, taking over, ending.
#include <utility>

#include "edge.h"
#include "fleetward/crypto/digest.h"

namespace fleetward::plugin {
namespace {

constexpr std::size_t kMaxVersions = 200000;
constexpr std::uint32_t kMaxOffersPerSecond = 50;
constexpr std::int64_t kVersionMemoryMs = 3600 * 1000;  // core.md §7: about an hour offline

report::RefusalReason ReasonOf(policy::Refusal refusal) {
  switch (refusal) {
    case policy::Refusal::kUnknownCertificate: return report::RefusalReason::kUnknownCertificate;
    case policy::Refusal::kCertificateNotActive: return report::RefusalReason::kCertificateNotActive;
    case policy::Refusal::kCertificateExpired: return report::RefusalReason::kCertificateExpired;
    case policy::Refusal::kClientIdInvalid: return report::RefusalReason::kClientId;
    default: return report::RefusalReason::kPolicy;
  }
}

}  // namespace

Verdict Edge::OnConnect(const ConnectRequest& request) {
  RollBucketIfDue(clock_.NowMs());
  Client* known = Find(request.client);
  if (known != nullptr && known->online) {
    // The broker checks a live session again (trap 7): no new connection, nothing is counted.
    bool stays = known->control || known->rights->CanStay(Now()) == policy::Refusal::kNone;
    return stays ? Verdict::kAllow : Verdict::kClose;
  }
  if (rechecking_ && !request.certificate) return Verdict::kAllow;
  if (request.address == options_.control_socket) return ConnectControl(request);
  if (!request.certificate) return Refuse(request, report::RefusalReason::kNoCertificate);
  if (!policies_.loaded()) return Refuse(request, report::RefusalReason::kNoSnapshot);

  auto rights = std::make_unique<policy::DeviceSession>(policies_, rules_, &cache_, *request.certificate,
                                                        request.client_id, model::IpAddress::Parse(request.address));
  policy::ConnectFacts facts;
  facts.persistent = !request.clean_session;
  policy::Refusal refusal = rights->CanConnect(facts, Now());
  if (refusal != policy::Refusal::kNone) {
    OfferForRegistration(request);
    return Refuse(request, ReasonOf(refusal));
  }
  auto live = online_.find(request.client_id);
  bool replaces = live != online_.end() && live->second->fingerprint == *request.certificate;
  if (!uses_.Connect(*request.certificate, request.client_id, !request.clean_session, replaces)) {
    return Refuse(request, report::RefusalReason::kLimit);
  }
  Admit(request, std::move(rights));
  return Verdict::kAllow;
}

crypto::PeerStanding Edge::StandingOf(const policy::Fingerprint& fingerprint) const {
  auto known = policies_.FindCertificate(fingerprint);
  if (!known) return crypto::PeerStanding::kUnknown;
  return known->alone ? crypto::PeerStanding::kAlone : crypto::PeerStanding::kVouched;
}

void Edge::OnHandshakeRefused(const policy::Fingerprint& fingerprint, crypto::PeerStanding standing,
                              std::string_view why) {
  failed_handshake_ = FailedHandshake{fingerprint, standing, std::string(why)};
}

/// Just-in-time registration is the server's decision: it gets the certificate, at most some each second.
void Edge::OfferForRegistration(const ConnectRequest& request) {
  auto known = policies_.FindCertificate(*request.certificate);
  if (known && known->status != policy::CertificateStatus::kPendingActivation) return;
  if (offered_ >= kMaxOffersPerSecond) return;
  std::string der = broker_.CertificateOf(request.client);
  if (der.empty()) return;
  ++offered_;
  report::UnregisteredFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.fingerprint = {reinterpret_cast<const char*>(request.certificate->data()), request.certificate->size()};
  frame.client_id = request.client_id.substr(0, 256);
  frame.source_ip = request.address;
  frame.der = der;
  sender_.Add(frame);
}

/// The private listener: the secret of the start. The server's link has a client id that no device can have; under a
/// device's it ends that one's session by a clean one.
Verdict Edge::ConnectControl(const ConnectRequest& request) {
  bool clean = request.client_id.starts_with('$') || request.clean_session;
  if (!clean || control_secret_.empty() ||
      !crypto::ConstantTimeEquals(request.password, control_secret_)) {
    return Refuse(request, report::RefusalReason::kNoCertificate);
  }
  Forget(request.client);
  auto client = std::make_unique<Client>(request.client, std::string(request.client_id), 0);
  client->control = true;
  auto live = online_.find(request.client_id);
  if (live != online_.end()) {
    live->second->superseded = true;
    online_.erase(live);
  }
  online_[client->id] = client.get();
  clients_.Insert(std::move(client));
  return Verdict::kAllow;
}

Verdict Edge::Refuse(const ConnectRequest& request, report::RefusalReason reason) {
  std::string_view fingerprint;
  if (request.certificate) {
    fingerprint = {reinterpret_cast<const char*>(request.certificate->data()), request.certificate->size()};
  }
  report::RefusedFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.reason = reason;
  frame.client_id = request.client_id.substr(0, 256);
  frame.fingerprint = fingerprint;
  frame.source_ip = request.address;
  EmitRefused(frame);
  if (request.certificate) {
    refusals_.CountRefusedConnect(request.client_id.substr(0, 256), fingerprint, request.address);
    if (reason != report::RefusalReason::kClientId) {
      lifecycle_.ConnectFailed(request.client_id, fingerprint, request.address, frame.event_time_ms);
    }
  }
  Forget(request.client);
  refused_.insert(request.client);
  return Verdict::kClose;
}

void Edge::Admit(const ConnectRequest& request, std::unique_ptr<policy::DeviceSession> rights) {
  Forget(request.client);
  auto live = online_.find(request.client_id);
  if (live != online_.end()) {
    // Take-over: the old connection's will may come before its DISCONNECT.
    Client& old = *live->second;
    old.superseded = true;
    old.reason = report::DisconnectReason::kDuplicateClientId;
    online_.erase(live);
    superseded_.push_back(old.key);
  }
  auto client = std::make_unique<Client>(request.client, std::string(request.client_id),
                                         options_.max_publishes_per_second);
  client->fingerprint = *request.certificate;
  client->source_ip = std::string(request.address);
  client->connection = next_connection_++;
  client->version_number = NextVersion(client->id);
  client->session = Id128::Random();
  client->protocol = static_cast<std::uint8_t>(request.protocol);
  client->clean_session = request.clean_session;
  client->rights = std::move(rights);
  client->counts.connection_attempts = 1;
  // A resumed session may hold subscriptions to answers that the plugin never saw.
  if (!request.clean_session) uses_.SetReadsAnswers(client->fingerprint);

  report::ConnectedFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.connection = client->connection;
  frame.version_number = client->version_number;
  frame.protocol = client->protocol;
  frame.clean_session = client->clean_session;
  frame.client_id = client->id;
  frame.fingerprint = client->FingerprintView();
  frame.source_ip = client->source_ip;
  sender_.Add(frame);
  lifecycle_.Connected(*client, frame.event_time_ms);
  MarkDirty(*client);
  Watch(*client);
  online_[client->id] = client.get();
  clients_.Insert(std::move(client));
}

void Edge::OnDisconnect(const void* key, const char* client_id, std::string_view address, bool had_certificate) {
  RollBucketIfDue(clock_.NowMs());
  bool refused = refused_.erase(key) > 0;
  Client* client = Find(key);
  if (client != nullptr) {
    if (client->control || !client->online) return Forget(key);  // an offline session that was taken over
    EndOnline(*client);
    if (client->clean_session || client->superseded) ended_.push_back(key);
    return;
  }
  if (refused || client_id != nullptr) return;
  report::RefusedFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.reason = had_certificate ? report::RefusalReason::kNoConnect : report::RefusalReason::kNoHandshake;
  frame.source_ip = address;
  auto failed = std::exchange(failed_handshake_, std::nullopt);
  if (failed && !had_certificate) {
    bool alone = failed->standing == crypto::PeerStanding::kAlone;
    frame.reason = alone ? report::RefusalReason::kWithoutCa : report::RefusalReason::kUntrusted;
    frame.fingerprint = {reinterpret_cast<const char*>(failed->fingerprint.data()), failed->fingerprint.size()};
    frame.topic = failed->why;
  }
  EmitRefused(frame);
}

void Edge::EndOnline(Client& client) {
  std::int64_t now = clock_.NowMs();
  client.online = false;
  expiries_.erase({client.certificate_end, client.key});
  timed_.erase(client.key);
  client.forget_ms = now + options_.session_expiry_seconds * 1000;
  ++client.counts.disconnects;
  CloseRecord(client);
  uses_.Disconnect(client.fingerprint, client.id, !client.clean_session, now);
  auto live = online_.find(client.id);
  if (live != online_.end() && live->second == &client) {
    online_.erase(live);
    if (auto it = versions_.find(client.id); it != versions_.end()) it->second.offline_since_ms = now;
  }
  Ended ended;
  ended.event_time_ms = now;
  ended.connection = client.connection;
  ended.version_number = client.version_number;
  ended.reason = client.reason;
  ended.client_id = client.id;
  ended.fingerprint = std::string(client.FingerprintView());
  ended.source_ip = client.source_ip;
  ended.session = client.session;
  reasons_.Add(std::move(ended), clock_.MonotonicMs(), [this](const Ended& one) { EmitEnded(one); });
}

/// Removes what is known under this pointer: the broker gives a freed one's address to a new client.
void Edge::Forget(const void* key) {
  Client* client = Find(key);
  if (client == nullptr) return;
  if (client->online && !client->control) EndOnline(*client);
  auto live = online_.find(client->id);
  if (live != online_.end() && live->second == client) online_.erase(live);
  clients_.Erase(key);
}

std::uint64_t Edge::NextVersion(const std::string& client_id) {
  if (versions_.size() >= kMaxVersions && !versions_.contains(client_id)) return 0;
  Versions& versions = versions_[client_id];
  bool forgotten = versions.offline_since_ms >= 0 && clock_.NowMs() - versions.offline_since_ms > kVersionMemoryMs;
  if (forgotten) versions.next = 0;
  versions.offline_since_ms = -1;
  return versions.next++;
}

void Edge::PruneSessions() {
  std::int64_t now = clock_.NowMs();
  std::erase_if(versions_, [&](const auto& entry) {
    return entry.second.offline_since_ms >= 0 && now - entry.second.offline_since_ms > kVersionMemoryMs;
  });
  std::vector<const void*> old;
  clients_.ForEach([&](const Client& client) {
    if (!client.online && client.forget_ms <= now) old.push_back(client.key);
  });
  for (const void* key : old) Forget(key);
  uses_.Prune(now);
}

}  // namespace fleetward::plugin
