#include "server.h"

#include <pwd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/alarms/alarm_query.h"
#include "fleetward/alarms/verification.h"
#include "fleetward/api/core/operator_log.h"
#include "fleetward/api/core/router.h"
#include "fleetward/api/handlers/detect.h"
#include "fleetward/api/handlers/fleet_index.h"
#include "fleetward/api/handlers/iot_data.h"
#include "fleetward/api/handlers/registry.h"
#include "fleetward/api/handlers/sns.h"
#include "fleetward/api/handlers/sts.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/digest.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/crypto/secret_box.h"
#include "fleetward/http/admin.h"
#include "fleetward/http/server.h"
#include "fleetward/ingest/config_feed.h"
#include "fleetward/ingest/pipeline.h"
#include "fleetward/notify/dispatcher.h"
#include "fleetward/notify/email.h"
#include "fleetward/notify/http_channel.h"
#include "fleetward/notify/signer.h"
#include "fleetward/notify/topics.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/fleet_index.h"
#include "fleetward/registry/policy_publisher.h"
#include "fleetward/registry/registry.h"
#include "fleetward/registry/registry_events.h"
#include "fleetward/registry/trust_publisher.h"
#include "fleetward/store/sqlite/database.h"
#include "fleetward/supervise/supervisor.h"
#include "access_api.h"
#include "housekeeper.h"
#include "local_api.h"
#include "settings.h"

namespace fleetward::app {
namespace {

std::array<std::uint8_t, 32> EngineSha256(std::string_view bytes) {
  std::string digest = crypto::Sha256(bytes);
  std::array<std::uint8_t, 32> out{};
  std::copy(digest.begin(), digest.end(), out.begin());
  return out;
}

// 32 bytes that stay the same over restarts, in a 0600 file.
Result<std::string> StableKey(const std::string& path) {
  auto stored = ReadFile(path, 256);
  if (stored.ok()) {
    auto key = HexDecode(std::string_view(*stored).substr(0, 64));
    if (key && key->size() == 32) return *key;
    return Error(Code::kCorrupt, path + " holds no key");
  }
  if (stored.error().code() != Code::kNotFound) return std::move(stored).error();
  std::string key = crypto::RandomBytes(32);
  FW_TRY(WriteFileAtomic(path, HexEncode(key) + '\n', 0600));
  return key;
}

Result<std::uint32_t> ShardCount(const DataFolder& folder, const config::ServerOptions& options) {
  // Things are dealt to shards for good when the folder is made.
  std::string path = folder.In("shards");
  auto stored = ReadFile(path, 16);
  std::uint32_t wanted = options.detect_shards > 0
                             ? static_cast<std::uint32_t>(options.detect_shards)
                             : std::max(1U, std::thread::hardware_concurrency() / 2);
  if (stored.ok()) {
    auto fixed = static_cast<std::uint32_t>(std::strtoul(stored->c_str(), nullptr, 10));
    if (fixed == 0) return Error(Code::kCorrupt, path + " holds no number");
    if (options.detect_shards > 0 && fixed != wanted) {
      log::Warning("detect.shards-is-fixed", {{"in_use", fixed}, {"wanted", wanted}});
    }
    return fixed;
  }
  FW_TRY(WriteFileAtomic(path, std::to_string(wanted) + '\n', 0600));
  return wanted;
}

fetch::FetchRules FetchRulesOf(const config::ServerOptions& options) {
  fetch::FetchRules rules;
  rules.loopback_only = options.fetch_allow_loopback;
  rules.allow_private = options.fetch_allow_private;
  rules.ca_file = options.fetch_ca_file;
  std::vector<std::string> own = options.mqtt_listen;
  own.push_back(options.api_listen);
  own.push_back(options.metrics_listen);
  for (const std::string& listen : own) {
    if (auto address = config::ParseHostPort(listen); address.ok()) rules.own_ports.push_back(address->port);
  }
  return rules;
}

api::DataPlane MakeDataPlane(ingest::Pipeline& pipeline) {
  api::DataPlane plane;
  auto summary = [](ingest::RetainedSummary& entry) {
    return api::RetainedSummary{std::move(entry.topic), entry.modified_ms, entry.payload_bytes, entry.qos};
  };
  using Message = std::optional<std::pair<api::RetainedSummary, std::string>>;
  plane.publish = [&](const std::string& topic, std::string_view payload, int qos, bool retain,
                      const api::MessageProperties& p) {
    return pipeline.Publish(topic, payload, qos, retain,
                            {p.utf8, p.expiry_seconds, p.content_type, p.response_topic, p.correlation_data, p.user});
  };
  plane.retained = [&pipeline, summary](const std::string& topic) -> Result<Message> {
    FW_ASSIGN(auto found, pipeline.Retained(topic));
    if (!found) return Message();
    return Message(std::in_place, summary(found->summary), std::move(found->payload));
  };
  plane.list_retained = [&pipeline, summary](const std::string& after,
                                             std::size_t limit) -> Result<std::vector<api::RetainedSummary>> {
    FW_ASSIGN(auto entries, pipeline.ListRetained(after, limit));
    std::vector<api::RetainedSummary> listed;
    for (auto& entry : entries) listed.push_back(summary(entry));
    return listed;
  };
  plane.delete_connection = [&](const std::string& client_id, bool clean_session, bool send_will) {
    return pipeline.DeleteConnection(client_id, clean_session, send_will);
  };
  return plane;
}

}  // namespace

class Server::Impl {
  // Tells the fleet index what the shards learn.
  class FleetObserver final : public ingest::ThingObserver {
   public:
    void OnConnectivity(const model::ThingName& thing, bool connected, Timestamp since,
                        std::string_view reason) override {
      if (fleet != nullptr) fleet->OnConnectivity(thing, {connected, since, std::string(reason)});
    }
    void OnActiveViolation(const model::ActiveViolation& violation, bool active) override {
      if (fleet != nullptr) fleet->OnViolation(violation, active);
    }
    registry::FleetIndex* fleet = nullptr;
  };

 public:
  Impl(const DataFolder& folder, const config::ServerOptions& options) : folder_(folder), options_(options) {}

  Status Start() {
    FW_TRY(OpenStores());
    FW_TRY(OpenRegistry());
    FW_TRY(OpenNotify());
    FW_TRY(OpenPipeline());
    FW_TRY(fleet_->Start(FleetStateNow()));
    FW_TRY(OpenApi());
    // Announced only when everything serves: others wait for this file (D33).
    announcer_ = std::thread([this] { Announce(); });
    return {};
  }

  void Stop() {
    if (stopping_.exchange(true)) return;
    if (announcer_.joinable()) announcer_.join();
    if (admin_) admin_->Stop(Millis(200));
    if (api_) api_->Stop(Millis(1500));
    housekeeper_.Stop();
    if (registry_events_) registry_events_->Stop();
    if (pipeline_) pipeline_->Stop();
    if (fleet_) fleet_->Stop();
    if (dispatcher_) dispatcher_->Stop();
    if (publisher_) publisher_->SetBarrier(nullptr);
    log::Info("server-stopped");
  }

 private:
  Status OpenStores() {
    store::sqlite::Options database;
    database.path = folder_.control_database();
    FW_ASSIGN(database_, store::sqlite::Database::Open(database, clock_));
    store_ = database_->Account(model::AccountId(options_.account_id));
    FW_ASSIGN(auto box, crypto::SecretBox::OpenOrCreate(folder_.secret()));
    FW_ASSIGN(keys_, access::KeyStore::Open(*store_, std::move(box), clock_));
    FW_ASSIGN(auto first, keys_->CreateFirst());
    if (first) {
      FW_TRY(WriteCredentials(folder_, {first->id, first->secret, SigningRegion()}));
      log::Info("first-access-key", {{"id", first->id}, {"file", "credentials"}});
    }
    return {};
  }

  Status OpenRegistry() {
    FW_ASSIGN(auto ca, crypto::CertificateAuthority::OpenOrCreate(folder_.root(), clock_.Now()));
    ca_ = std::make_unique<crypto::CertificateAuthority>(std::move(ca));
    model::Arns arns(SigningRegion(), model::AccountId(options_.account_id));
    supervise::RunPaths paths(folder_.root());
    publisher_ = std::make_unique<registry::PolicyPublisher>(registry::PublisherOptions{paths.snapshot}, *store_, arns);
    directory_ = std::make_unique<registry::Directory>(model::AccountId(options_.account_id));
    FW_TRY(directory_->Load(*store_));
    trust_ = std::make_unique<registry::TrustPublisher>(folder_.In("trusted"));
    FW_TRY(trust_->Start(*store_));
    changes_.Add(*trust_);
    changes_.Add(*directory_);
    changes_.Add(*publisher_);
    registry_ = std::make_unique<registry::Registry>(
        registry::Context{*store_, clock_, arns, QuotasOf(options_), changes_, *publisher_}, *ca_, key_generator_);
    importer_ = std::make_unique<registry::Importer>(registry_->context(), *ca_, key_generator_);
    fleet_ = std::make_unique<registry::FleetIndex>(registry_->context(), *directory_,
                                                    registry_->dynamic_thing_groups, counters_);
    changes_.Add(*fleet_);
    observer_.fleet = fleet_.get();
    return publisher_->Start();
  }

  Status OpenNotify() {
    outbox_ = std::make_unique<notify::Outbox>(*store_, clock_);
    FW_ASSIGN(std::string stable_key, StableKey(folder_.In("page-token-key")));
    notify::TopicSettings topics;
    topics.account = options_.account_id;
    topics.region = SigningRegion();
    topics.public_url = PublicUrl(options_);
    topics.link_key = crypto::HmacSha256(stable_key, "unsubscribe links");
    topics.fetch = FetchRulesOf(options_);
    topics.max_topics = static_cast<std::size_t>(options_.notify_max_topics);
    topics.max_subscriptions_per_topic = static_cast<std::size_t>(options_.notify_max_subscriptions_per_topic);
    topics.max_filter_policies_per_topic = static_cast<std::size_t>(options_.notify_max_filter_policies_per_topic);
    topics.confirmations_per_address_per_hour = static_cast<int>(options_.notify_confirmations_per_address_per_hour);
    topics.confirmations_per_key_per_hour = static_cast<int>(options_.notify_confirmations_per_key_per_hour);
    topics_ = std::make_unique<notify::TopicService>(*store_, *outbox_, clock_, topics);
    fetcher_ = std::make_unique<fetch::Fetcher>(topics.fetch);
    signer_ = std::make_unique<notify::MessageSigner>(folder_.In("sns-signing"), PublicUrl(options_), *ca_, clock_);
    http_ = notify::MakeHttpChannel(*fetcher_, *signer_);
    notify::SmtpSettings smtp;
    smtp.url = options_.notify_smtp_url;
    smtp.credentials_file = options_.notify_smtp_credentials_file;
    smtp.from = options_.notify_smtp_from;
    smtp.ca_file = options_.fetch_ca_file;
    FW_ASSIGN(email_, notify::MakeEmailChannel(smtp, *outbox_, *signer_));
    dispatcher_ = std::make_unique<notify::Dispatcher>(
        *outbox_, clock_,
        std::map<std::string, notify::Channel*>{
            {"email", email_.get()}, {"email-json", email_.get()}, {"http", http_.get()}, {"https", http_.get()}},
        notify::DispatcherSettings{}, counters_);
    return dispatcher_->Start();
  }

  Millis ViolationsKept() const { return std::chrono::days(options_.telemetry_violation_days); }

  Status OpenPipeline() {
    verifications_ = std::make_unique<alarms::VerificationBook>(*store_, clock_, ViolationsKept());
    supervise::RunPaths paths(folder_.root());
    ingest::PipelineOptions options;
    options.folder = folder_.root();
    options.ingest_socket = paths.ingest_socket;
    options.control_socket = paths.control_socket;
    options.control_secret_file = paths.control_secret;
    FW_ASSIGN(options.shards, ShardCount(folder_, options_));
    options.engine.account = model::AccountId(options_.account_id);
    options.engine.sha256 = EngineSha256;
    options.engine.bucket_seconds = static_cast<std::int32_t>(std::min<std::int64_t>(300, options_.detect_min_duration_seconds));
    options.engine.early = options_.detect_early;
    options.engine.max_new_alarms_per_second = static_cast<std::uint32_t>(options_.detect_max_new_alarms_per_second);
    options.admission.min_report_interval_seconds =
        static_cast<std::int32_t>(options_.detect_min_report_interval_seconds);
    options.store_all = options_.telemetry_store == "all";
    options.export_interval = std::chrono::seconds(options_.detect_export_interval_seconds);
    options.retention.metric_days = static_cast<int>(options_.telemetry_retention_days);
    options.retention.downsampled_days = static_cast<int>(options_.telemetry_downsampled_days);
    options.retention.downsampled_minutes = static_cast<int>(options_.telemetry_downsampled_minutes);
    options.retention.event_days = static_cast<int>(options_.telemetry_violation_days);
    options.retention.connection_days = static_cast<int>(options_.telemetry_connection_days);
    ingest::Pipeline::Parts parts{directory_.get(), publisher_.get(), topics_.get(),
                                  verifications_.get(), &clock_, &counters_, &observer_,
                                  &registry_->certificates, options_.account_id, store_.get()};
    FW_ASSIGN(pipeline_, ingest::Pipeline::Open(std::move(options), parts));
    publisher_->SetBarrier(pipeline_.get());
    feed_ = std::make_unique<ingest::ConfigFeed>(
        *directory_, *registry_, [this](std::vector<ingest::Record> records) { pipeline_->Configure(std::move(records)); });
    changes_.Add(*feed_);
    FW_ASSIGN(auto events, registry_->event_configurations.Describe());
    registry_events_ = std::make_unique<registry::RegistryEvents>(
        events, registry_->arns(), clock_,
        [this](const registry::RegistryEvent& event) { return pipeline_->Publish(event.topic, event.payload, 1, false); },
        counters_);
    changes_.Add(*registry_events_);
    registry_events_->Start();
    alarms_ = std::make_unique<alarms::AlarmQuery>(pipeline_->blocks(), *verifications_, ViolationsKept());
    return pipeline_->Start(feed_->WholeConfiguration());
  }

  // What an index is built from beside the registry.
  registry::FleetState FleetStateNow() {
    registry::FleetState state;
    state.each_connectivity = [this](const auto& tell) {
      pipeline_->EachConnectivity([&](const model::ThingName& thing, bool connected, Timestamp since) {
        tell(thing, registry::ThingConnectivity{connected, since, ""});
      });
    };
    state.each_violation = [this](const auto& tell) {
      std::string from;
      while (true) {
        auto page = alarms_->Active({}, from, 250);
        if (!page.ok()) {
          log::Error("violations-unread", {{"error", page.error().ToString()}});
          return;
        }
        for (const auto& violation : page->items) tell(violation);
        if (!page->next) return;
        from = *page->next;
      }
    };
    return state;
  }

  Status OpenApi() {
    authenticator_ = std::make_unique<access::Authenticator>(
        *keys_, clock_, access::AuthenticatorOptions{options_.region, options_.api_rate_per_key});
    api::RouterOptions router;
    router.account_id = options_.account_id;
    router.region = SigningRegion();
    FW_ASSIGN(router.page_token_key, StableKey(folder_.In("page-token-key")));
    router.authenticator = authenticator_.get();
    FW_ASSIGN(operator_log_, access::OperatorLog::Open({.folder = folder_.In("operator-log")}));
    operator_entries_ = std::make_unique<DurableOperatorLog>(*operator_log_);
    scopes_ = std::make_unique<RegistryScopes>(*directory_, *registry_, *alarms_);
    router.operator_log = operator_entries_.get();
    router.scopes = scopes_.get();
    router.clock = &clock_;
    router.counters = &counters_;
    router_ = std::make_unique<api::Router>(router);
    RegisterLocalApi(*router_, {*pipeline_, *outbox_, *registry_, *importer_, *signer_, *alarms_, clock_,
                                !options_.notify_smtp_url.empty(), clock_.Now()});
    std::string api_host = PublicUrl(options_);
    api_host.erase(0, api_host.find("://") + 3);
    api::RegisterRegistryHandlers(*router_, *registry_, {MqttHost(options_), api_host});
    api::RegisterFleetIndexHandlers(*router_, *registry_, *fleet_);
    api::RegisterDetectHandlers(*router_, {*registry_, *directory_, pipeline_->query(), *alarms_, *verifications_,
                                            [this] { return pipeline_->TrainingSummaries(); },
                                            [this](const model::EntityId& entity, const model::ViolationId& violation,
                                                   model::VerificationState state) {
                                              pipeline_->Configure({ingest::VerificationRecord{0, entity, violation, state}});
                                            }});
    RegisterAccessApi(*router_, *keys_, *operator_log_);
    api::RegisterSnsHandlers(*router_, *topics_);
    api::RegisterStsHandlers(*router_);
    api::RegisterIotDataHandlers(*router_, MakeDataPlane(*pipeline_));
    FW_ASSIGN(auto names, crypto::ServerNames(options_.tls_hostnames));
    FW_ASSIGN(auto identity, crypto::EnsureServerCertificate(folder_.root(), *ca_, names, clock_.Now()));
    http::ServerOptions api;
    FW_ASSIGN(auto listen, config::ParseHostPort(options_.api_listen));
    api.host = listen.host;
    api.port = listen.port;
    http::TlsIdentity tls;
    FW_ASSIGN(tls.chain_pem, ReadFile(identity.certificate_path));
    FW_ASSIGN(tls.key_pem, ReadFile(identity.key_path));
    api.tls = std::move(tls);
    api.handler_threads = options_.api_threads > 0 ? static_cast<int>(options_.api_threads) : 8;
    api.counters = &counters_;
    FW_ASSIGN(api_, http::Server::Start(std::move(api),
                                        [this](const http::Request& request) { return router_->Serve(request); }));
    FW_TRY(OpenAdmin());
    housekeeper_.Start({{"pending-subscriptions", [this] { return topics_->ExpirePending(); }},
                        {"outbox", [this] { return outbox_->Expire(); }},
                        {"operator-log", [this] {
                           return operator_log_->Expire(clock_.Now() - std::chrono::days(options_.operator_log_retention_days));
                         }},
                        {"verifications", [this] {
                           return verifications_->Expire([this](const model::ViolationId& id) {
                             auto found = alarms_->FindActive(id);
                             return !found.ok() || found->has_value();
                           });
                         }}});
    return {};
  }

  Status OpenAdmin() {
    if (options_.metrics_listen.empty()) return {};
    http::ServerOptions admin;
    FW_ASSIGN(auto listen, config::ParseHostPort(options_.metrics_listen));
    admin.host = listen.host;
    admin.port = listen.port;
    admin.handler_threads = 1;
    admin.name = "admin";
    admin.counters = &counters_;
    FW_ASSIGN(admin_, http::Server::Start(std::move(admin), http::AdminHandler(counters_, [this] { return HealthNow(); })));
    return {};
  }

  http::Health HealthNow() const {
    ingest::PipelineStatus status = pipeline_->status();
    if (!status.log_healthy) return {false, "the data folder cannot be written\n"};
    if (status.edges == 0 || !status.control_link) return {false, "no broker is connected\n"};
    return {true, "ok\n"};
  }

  void Announce() {
    while (!stopping_) {
      ingest::PipelineStatus status = pipeline_->status();
      if (status.edges > 0 && status.control_link) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (stopping_) return;
    auto port = MqttPort(options_);
    Endpoint endpoint{ApiUrl(options_), MqttHost(options_), port.ok() ? *port : 0, Absolute(folder_.In("ca.pem"))};
    if (folder_.root() == ".") endpoint.ca = Absolute("ca.pem");
    Status written = WriteEndpoint(folder_, endpoint);
    if (!written.ok()) log::Error("endpoint-unwritten", {{"error", written.error().ToString()}});
    log::Info("serving", {{"api", endpoint.api}, {"mqtt_port", endpoint.mqtt_port}});
  }

  /// region = "*" accepts any scope; ARNs then carry the default region (D25).
  std::string SigningRegion() const { return options_.region == "*" ? "us-east-1" : options_.region; }

  const DataFolder folder_;
  const config::ServerOptions options_;
  SystemClock clock_;
  CounterRegistry counters_;
  std::unique_ptr<store::sqlite::Database> database_;
  std::unique_ptr<store::ControlStore> store_;
  std::unique_ptr<access::KeyStore> keys_;
  std::unique_ptr<crypto::CertificateAuthority> ca_;
  crypto::KeyGenerator key_generator_;
  registry::ChangeHub changes_;
  std::unique_ptr<registry::PolicyPublisher> publisher_;
  std::unique_ptr<registry::TrustPublisher> trust_;
  std::unique_ptr<registry::Directory> directory_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<registry::Importer> importer_;
  std::unique_ptr<registry::FleetIndex> fleet_;
  FleetObserver observer_;
  std::unique_ptr<notify::Outbox> outbox_;
  std::unique_ptr<notify::TopicService> topics_;
  std::unique_ptr<fetch::Fetcher> fetcher_;
  std::unique_ptr<notify::MessageSigner> signer_;
  std::unique_ptr<notify::Channel> email_, http_;
  std::unique_ptr<notify::Dispatcher> dispatcher_;
  std::unique_ptr<alarms::VerificationBook> verifications_;
  std::unique_ptr<ingest::ConfigFeed> feed_;
  std::unique_ptr<ingest::Pipeline> pipeline_;
  std::unique_ptr<registry::RegistryEvents> registry_events_;
  std::unique_ptr<alarms::AlarmQuery> alarms_;
  std::unique_ptr<access::Authenticator> authenticator_;
  std::unique_ptr<access::OperatorLog> operator_log_;
  std::unique_ptr<DurableOperatorLog> operator_entries_;
  std::unique_ptr<RegistryScopes> scopes_;
  std::unique_ptr<api::Router> router_;
  std::unique_ptr<http::Server> api_;
  std::unique_ptr<http::Server> admin_;
  Housekeeper housekeeper_;
  std::thread announcer_;
  std::atomic<bool> stopping_{false};
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { Stop(); }
void Server::Stop() { impl_->Stop(); }

Result<std::unique_ptr<Server>> Server::Start(const DataFolder& folder, const config::ServerOptions& options) {
  auto impl = std::make_unique<Impl>(folder, options);
  Status started = impl->Start();
  if (!started.ok()) {
    impl->Stop();
    return std::move(started).error();
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

}  // namespace fleetward::app
