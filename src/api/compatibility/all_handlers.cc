#include "all_handlers.h"

#include "fleetward/api/handlers/detect.h"
#include "fleetward/api/handlers/fleet_index.h"
#include "fleetward/api/handlers/iot_data.h"
#include "fleetward/api/handlers/registry.h"
#include "fleetward/api/handlers/sns.h"
#include "fleetward/api/handlers/sts.h"
#include "fleetward/base/clock.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/layout.h"

namespace fleetward::api {

struct AllHandlers::Services {
  ManualClock clock{FromMillis(1'790'000'000'000)};
  model::AccountId account{"123456789012"};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(account);
  std::unique_ptr<store::MemoryBlockStore> blocks = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  crypto::CertificateAuthority ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  crypto::KeyGenerator generator{{.max_waiting = 1, .ready_keys = 0}};
  registry::Directory directory{account};
  registry::ChangeHub hub;
  registry::NoEnforcement enforcement;
  registry::Registry registry{
      registry::Context{*control, clock, {"us-east-1", account}, {}, hub, enforcement}, ca, generator};
  CounterRegistry counters;
  registry::FleetIndex fleet{registry.context(), directory, registry.dynamic_thing_groups, counters};
  telemetry::Recorder recorder;
  telemetry::Query telemetry{*blocks, {&recorder}};
  alarms::VerificationBook verifications{*control, clock};
  alarms::AlarmQuery alarms{*blocks, verifications};
  notify::Outbox outbox{*control, clock};
  notify::TopicService topics{*control, outbox, clock, {}};
  Router router{{.account_id = account.value(),
                 .region = "us-east-1",
                 .page_token_key = std::string(32, 'p'),
                 .authenticator = nullptr,
                 .operator_log = nullptr,
                 .clock = &clock,
                 .counters = nullptr}};
};

AllHandlers::AllHandlers() : services_(std::make_unique<Services>()) {
  Services& s = *services_;
  RegisterRegistryHandlers(s.router, s.registry, {"localhost", "localhost:8443"});
  RegisterFleetIndexHandlers(s.router, s.registry, s.fleet);
  RegisterDetectHandlers(s.router, {s.registry, s.directory, s.telemetry, s.alarms, s.verifications});
  RegisterSnsHandlers(s.router, s.topics);
  RegisterStsHandlers(s.router);
  RegisterIotDataHandlers(s.router, {});
}

AllHandlers::~AllHandlers() = default;
const Router& AllHandlers::router() const { return services_->router; }

}  // namespace fleetward::api
