#include "edge.h"


namespace fleetward::plugin {
namespace {

constexpr std::size_t kDecisions = 65536;
constexpr std::int64_t kRecheckMs = 50;

policy::DeviceRules RulesOf(const Options& options) {
  policy::DeviceRules rules;
  rules.report_for_others = options.report_for_others;
  return rules;
}

bus::FrameSender::Options LinkOf(const Options& options, Id128 start) {
  bus::FrameSender::Options link;
  link.path = options.ingest_socket;
  link.edge_id = options.edge_id;
  link.plugin_start = start;
  link.max_bytes = options.buffer_bytes;
  return link;
}

}  // namespace

Edge::Edge(Options options, std::string control_secret, Id128 start, const Clock& clock, Broker& broker)
    : options_(std::move(options)),
      rules_(RulesOf(options_)),
      control_secret_(std::move(control_secret)),
      clock_(clock),
      broker_(broker),
      sender_(LinkOf(options_, start)),
      cache_(kDecisions, Id128::Random().low),
      snapshot_(options_.snapshot_file),
      uses_(options_),
      lifecycle_([this](const std::string& topic, std::string_view payload) { broker_.Publish(topic, payload); }) {
  OpenBucket(clock_.NowMs());
}

Status Edge::Start() {
  FW_TRY(reasons_.Open(options_.reason_socket));
  Status loaded = snapshot_.Load(policies_);
  TakeDimensions();
  if (!loaded.ok()) broker_.Log("fleetward: all clients are refused: " + loaded.error().message());
  if (!snapshot_.journal().ok()) broker_.Log("fleetward: the latest changes: " + snapshot_.journal().error().message());
  return {};
}

void Edge::OnControl(const void* client, std::string_view payload) {
  Client* sender = Find(client);
  if (sender == nullptr || !sender->control) return;
  auto command = report::DecodeEdgeCommand(payload);
  if (!command.ok()) {
    broker_.Log("fleetward: " + command.error().message());
    return;
  }
  switch (command->kind) {
    case report::EdgeCommandKind::kLoadSnapshot: Loaded(snapshot_.Load(policies_)); break;
    case report::EdgeCommandKind::kDelta: ApplyDelta(command->delta); break;
    case report::EdgeCommandKind::kPublish: return PublishAll(command->messages);
    case report::EdgeCommandKind::kDisconnectClient: DisconnectClient(command->client_id, command->send_will); break;
    case report::EdgeCommandKind::kDeleteConnection: {
      report::DoneFrame done;
      done.request = command->request;
      done.found = DisconnectClient(command->client_id, command->send_will) || HasSession(command->client_id);
      sender_.Add(done);
      break;
    }
  }
  sender_.Pump(clock_.MonotonicMs(), clock_.NowMs());
}

bool Edge::DisconnectClient(std::string_view client_id, bool send_will) {
  auto it = online_.find(client_id);
  if (it == online_.end() || it->second->control) return false;
  it->second->reason = report::DisconnectReason::kApiInitiated;
  broker_.Kick(std::string(client_id), send_will);
  return true;
}

/// Rare, so the sessions are looked through. One that the broker restored from disk is not known here.
bool Edge::HasSession(std::string_view client_id) const {
  bool found = false;
  clients_.ForEach([&](const Client& client) {
    found = found || (!client.online && !client.clean_session && client.id == client_id);
  });
  return found;
}

void Edge::PublishAll(std::string_view messages) {
  std::string topic;
  for (;;) {
    auto next = report::NextPublication(messages);
    if (!next.ok()) {
      broker_.Log("fleetward: " + next.error().message());
      if (next.error().code() == Code::kCorrupt) return;
      continue;
    }
    if (!*next) return;
    topic.assign((*next)->topic);
    broker_.Publish(topic, (*next)->payload);
  }
}

/// Everything may have changed: all connections are checked again before Applied is said.
void Edge::Loaded(const Status& status) {
  if (!status.ok()) {
    broker_.Log("fleetward: the policy snapshot was not taken: " + status.error().message());
    report::AppliedFrame frame;
    frame.event_time_ms = clock_.NowMs();
    frame.policy_version = policies_.version();
    frame.ok = false;
    sender_.Add(frame);
    return;
  }
  TakeDimensions();
  recheck_.clear();
  clients_.ForEach([this](const Client& client) {
    if (client.online && !client.control) recheck_.push_back(client.key);
  });
  applied_pending_ = true;
  Recheck();
}

void Edge::ApplyDelta(std::string_view delta) {
  auto decoded = policy::DecodeDelta(delta);
  Status applied = decoded.ok() ? policies_.Apply(delta) : Status(std::move(decoded).error());
  if (!applied.ok()) return Loaded(applied);
  TakeDimensions();
  // Changes of certificates and things concern their own clients alone; those are looked at first.
  bool all = false;
  std::unordered_set<policy::Fingerprint, policy::FingerprintHash> certificates;
  std::unordered_set<std::string> things;
  for (const policy::SnapshotChange& change : decoded->changes) {
    if (const auto* certificate = std::get_if<policy::CertificateEntry>(&change)) {
      certificates.insert(certificate->fingerprint);
    } else if (const auto* removed = std::get_if<policy::RemoveCertificate>(&change)) {
      certificates.insert(removed->fingerprint);
    } else if (const auto* thing = std::get_if<policy::ThingEntry>(&change)) {
      things.insert(thing->name);
      certificates.insert(thing->certificates.begin(), thing->certificates.end());
    } else if (const auto* gone = std::get_if<policy::RemoveThing>(&change)) {
      things.insert(gone->name);
    } else if (!std::holds_alternative<policy::SetDimensions>(change)) {
      all = true;
    }
  }
  std::vector<const void*> first;
  std::vector<const void*> rest = std::move(recheck_);
  clients_.ForEach([&](const Client& client) {
    if (!client.online || client.control) return;
    if (certificates.contains(client.fingerprint) || things.contains(client.id)) {
      first.push_back(client.key);
    } else if (all) {
      rest.push_back(client.key);
    }
  });
  recheck_ = std::move(rest);  // taken from its end
  recheck_.insert(recheck_.end(), first.begin(), first.end());
  applied_pending_ = true;
  Recheck();
}

/// What was counted by the former ones is sent first.
void Edge::TakeDimensions() {
  if (policies_.dimensions() == known_dimensions_) return;
  FlushCounters(false, bucket_stepped_);
  known_dimensions_ = policies_.dimensions();
  if (!dimensions_.Set(known_dimensions_)) broker_.Log("fleetward: only 32 dimensions are counted, more are in use");
}

/// Takes connections off the end of the list, 50 ms at most; says Applied when none is left (D42).
void Edge::Recheck() {
  std::vector<const void*> kicked;
  Timestamp now = Now();
  std::int64_t end = clock_.MonotonicMs() + kRecheckMs;
  while (!recheck_.empty()) {
    if (recheck_.size() % 64 == 0 && clock_.MonotonicMs() >= end) break;
    const void* key = recheck_.back();
    recheck_.pop_back();
    Client* client = Find(key);
    if (client == nullptr || !client->ready() || client->control) continue;
    if (client->rights->CanStay(now) != policy::Refusal::kNone) kicked.push_back(key);
    Watch(*client);
  }
  KickAll(kicked);
  if (!recheck_.empty() || !applied_pending_) return;
  applied_pending_ = false;
  report::AppliedFrame frame;
  frame.event_time_ms = clock_.NowMs();
  frame.policy_version = policies_.version();
  sender_.Add(frame);
}

void Edge::KickAll(const std::vector<const void*>& keys) {
  for (const void* key : keys) {
    Client* client = Find(key);
    if (client == nullptr || !client->online) continue;
    client->reason = report::DisconnectReason::kAuthError;
    std::string id = client->id;  // the client may go while it is kicked
    broker_.Kick(id, true);
  }
}

void Edge::EmitRefused(const report::RefusedFrame& frame) {
  refusals_.Add(frame, [this](const report::RefusedFrame& one) { sender_.Add(one); });
}

void Edge::EmitEnded(const Ended& ended) {
  report::DisconnectedFrame frame;
  frame.event_time_ms = ended.event_time_ms;
  frame.connection = ended.connection;
  frame.version_number = ended.version_number;
  frame.reason = ended.reason;
  frame.client_id = ended.client_id;
  frame.fingerprint = ended.fingerprint;
  frame.source_ip = ended.source_ip;
  sender_.Add(frame);
  lifecycle_.Disconnected(ended);
}

}  // namespace fleetward::plugin
