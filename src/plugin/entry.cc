// C entry points of the broker plugin. Every mosquitto_* call happens on the broker's own thread, in a callback: the
// broker has no locks (docs/broker.md). Nothing is thrown across this boundary.
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker_calls.h"
#include "client_socket.h"
#include "edge.h"
#include "fleetward/base/file.h"
#include "fleetward/crypto/peer_certificate.h"
#include "fleetward/crypto/peer_verifier.h"
#include "fleetward/report/edge_command.h"

namespace {

using namespace fleetward;
using plugin::Edge;
using plugin::Verdict;

class MosquittoBroker final : public plugin::Broker {
 public:
  void Kick(const std::string& client_id, bool with_will) override {
    mosquitto_kick_client_by_clientid(client_id.c_str(), with_will);
  }
  void Publish(const std::string& topic, std::string_view payload) override {
    // Without a client id: routed to subscribers, with the READ check of each (docs/broker.md).
    mosquitto_broker_publish_copy(nullptr, topic.c_str(), static_cast<int>(payload.size()), payload.data(), 0, false,
                                  nullptr);
  }
  bool TakesMore(const void* client) override {
    const char* address = mosquitto_client_address(static_cast<const mosquitto*>(client));
    return plugin::TakesMore(plugin::SocketOf(client, address == nullptr ? "" : address));
  }
  std::string CertificateOf(const void* client) override {
    auto* known = static_cast<mosquitto*>(const_cast<void*>(client));
    return crypto::TakePeerDer(mosquitto_client_certificate(known));
  }
  void Log(std::string_view line) override {
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "%.*s", static_cast<int>(line.size()), line.data());
  }
};

struct Plugin {
  SystemClock clock;
  MosquittoBroker broker;
  mosquitto_plugin_id_t* id = nullptr;
  std::unique_ptr<Edge> edge;
  std::unique_ptr<crypto::PeerVerifier> verifier;  // of listeners made after the plugin, which all are
};

int Answer(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllow: return MOSQ_ERR_SUCCESS;
    case Verdict::kDeny: return MOSQ_ERR_ACL_DENIED;
    case Verdict::kClose: break;
  }
  return MOSQ_ERR_AUTH;
}

std::string_view Text(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

Edge& EdgeOf(void* userdata) { return *static_cast<Plugin*>(userdata)->edge; }

int OnBasicAuth(int, void* data, void* userdata) {
  auto* event = static_cast<mosquitto_evt_basic_auth*>(data);
  plugin::ConnectRequest request;
  request.client = event->client;
  request.client_id = Text(mosquitto_client_id(event->client));
  request.address = Text(mosquitto_client_address(event->client));
  request.certificate = crypto::TakePeerFingerprint(mosquitto_client_certificate(event->client));
  request.password = Text(event->password);
  request.protocol = mosquitto_client_protocol_version(event->client);
  request.clean_session = mosquitto_client_clean_session(event->client);
  Verdict verdict = EdgeOf(userdata).OnConnect(request);
  if (verdict == Verdict::kAllow) plugin::NoteAdmitted(event->client);
  return Answer(verdict);
}

int OnAcl(int, void* data, void* userdata) {
  auto* event = static_cast<mosquitto_evt_acl_check*>(data);
  Edge& edge = EdgeOf(userdata);
  std::string_view topic = Text(event->topic);
  switch (event->access) {
    case MOSQ_ACL_WRITE: {
      std::string_view payload(static_cast<const char*>(event->payload), event->payloadlen);
      return Answer(edge.OnPublish(event->client, topic, payload, event->qos, event->retain));
    }
    case MOSQ_ACL_READ: {
      std::size_t size = event->payload == nullptr ? 0 : event->payloadlen;
      std::string_view payload(static_cast<const char*>(event->payload), size);
      return Answer(edge.OnReceive(event->client, topic, event->topic, payload, event->retain));
    }
    case MOSQ_ACL_SUBSCRIBE: {
      int count = mosquitto_client_sub_count(event->client);
      return Answer(edge.OnSubscribe(event->client, topic, count > 0 ? static_cast<std::uint64_t>(count) : 0));
    }
    case MOSQ_ACL_UNSUBSCRIBE: edge.OnUnsubscribe(event->client, topic); return MOSQ_ERR_SUCCESS;
    default: return MOSQ_ERR_ACL_DENIED;
  }
}

int OnDisconnect(int, void* data, void* userdata) {
  auto* event = static_cast<mosquitto_evt_disconnect*>(data);
  const char* id = mosquitto_client_id(event->client);
  bool certificate =
      id == nullptr && crypto::TakePeerFingerprint(mosquitto_client_certificate(event->client)).has_value();
  EdgeOf(userdata).OnDisconnect(event->client, id, Text(mosquitto_client_address(event->client)), certificate);
  return MOSQ_ERR_SUCCESS;
}

int OnControl(int, void* data, void* userdata) {
  auto* event = static_cast<mosquitto_evt_control*>(data);
  EdgeOf(userdata).OnControl(event->client,
                             std::string_view(static_cast<const char*>(event->payload), event->payloadlen));
  return MOSQ_ERR_SUCCESS;  // anything else would disconnect the server (trap 8)
}

int OnReload(int, void*, void* userdata) {
  EdgeOf(userdata).OnReload();
  return MOSQ_ERR_SUCCESS;
}

int OnTick(int, void*, void* userdata) {
  EdgeOf(userdata).OnTick();
  return MOSQ_ERR_SUCCESS;
}

struct Callback {
  int event;
  MOSQ_FUNC_generic_callback function;
  const char* topic;
};
constexpr Callback kCallbacks[] = {
    {MOSQ_EVT_BASIC_AUTH, OnBasicAuth, nullptr}, {MOSQ_EVT_ACL_CHECK, OnAcl, nullptr},
    {MOSQ_EVT_DISCONNECT, OnDisconnect, nullptr}, {MOSQ_EVT_TICK, OnTick, nullptr},
    {MOSQ_EVT_RELOAD, OnReload, nullptr},         {MOSQ_EVT_CONTROL, OnControl, report::kControlTopic.data()},
};

Result<std::unique_ptr<Edge>> MakeEdge(Plugin& plugin, const mosquitto_opt* options, int count) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < count; ++i) {
    pairs.emplace_back(options[i].key, options[i].value == nullptr ? "" : options[i].value);
  }
  FW_ASSIGN(auto parsed, plugin::ParseOptions(pairs));
  FW_ASSIGN(std::string secret, ReadFile(parsed.control_secret_file, 4096));
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.size() < 16) {
    return Error(Code::kInvalidArgument, "the control secret is shorter than 16 bytes: " + parsed.control_secret_file);
  }
  std::string trust_folder = parsed.trust_folder;
  auto edge = std::make_unique<Edge>(std::move(parsed), std::move(secret), Id128::Random(), plugin.clock,
                                     plugin.broker);
  FW_TRY(edge->Start());
  if (!trust_folder.empty()) {
    crypto::PeerVerifier::Questions questions;
    questions.standing = [edge = edge.get()](const auto& fingerprint) { return edge->StandingOf(fingerprint); };
    questions.refused = [edge = edge.get()](const auto& fingerprint, crypto::PeerStanding standing,
                                            std::string_view why) {
      edge->OnHandshakeRefused(fingerprint, standing, why);
    };
    FW_ASSIGN(plugin.verifier, crypto::PeerVerifier::Install(std::move(trust_folder), std::move(questions)));
  }
  return edge;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int mosquitto_plugin_version(int count, const int* versions) {
  for (int i = 0; i < count; ++i) {
    if (versions[i] == MOSQ_PLUGIN_VERSION) return MOSQ_PLUGIN_VERSION;
  }
  return -1;
}

__attribute__((visibility("default"))) int mosquitto_plugin_init(mosquitto_plugin_id_t* identifier, void** userdata,
                                                                 mosquitto_opt* options, int option_count) {
  auto made = std::make_unique<Plugin>();
  made->id = identifier;
  auto edge = MakeEdge(*made, options, option_count);
  if (!edge.ok()) {
    made->broker.Log("fleetward: " + edge.error().ToString());
    return MOSQ_ERR_INVAL;
  }
  made->edge = std::move(*edge);
  for (const Callback& callback : kCallbacks) {
    int rc = mosquitto_callback_register(identifier, callback.event, callback.function, callback.topic, made.get());
    if (rc != MOSQ_ERR_SUCCESS) return rc;
  }
  if (!plugin::BrokerCallsAreTaken()) {
    made->broker.Log("fleetward: handshakes may delay clients: the plugin is not preloaded");
  }
  *userdata = made.release();
  return MOSQ_ERR_SUCCESS;
}

__attribute__((visibility("default"))) int mosquitto_plugin_cleanup(void* userdata, mosquitto_opt*, int) {
  std::unique_ptr<Plugin> plugin(static_cast<Plugin*>(userdata));
  if (!plugin) return MOSQ_ERR_SUCCESS;
  for (const Callback& callback : kCallbacks) {
    mosquitto_callback_unregister(plugin->id, callback.event, callback.function, callback.topic);
  }
  plugin->verifier.reset();
  plugin->edge->Stop();
  return MOSQ_ERR_SUCCESS;
}

}  // extern "C"
