// registry_server DIR: the registry's operations over TLS, on SQLite, with the policy publisher and no broker, until
// its standard input ends; for tests with stock clients. Prints one line of JSON: port, access key id, secret.
#include <unistd.h>

#include <cstdio>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/api/core/operator_log.h"
#include "fleetward/api/handlers/registry.h"
#include "fleetward/base/counters.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/http/server.h"
#include "fleetward/registry/policy_publisher.h"
#include "fleetward/store/sqlite/database.h"

namespace {

using namespace fleetward;

Status Serve(const std::string& dir) {
  SystemClock clock;
  model::AccountId account("123456789012");
  model::Arns arns("us-east-1", account);
  FW_ASSIGN(auto database, store::sqlite::Database::Open({dir + "/control.db"}, clock));
  auto control = database->Account(account);
  FW_ASSIGN(auto ca, crypto::CertificateAuthority::OpenOrCreate(dir, clock.Now()));
  FW_ASSIGN(auto names, crypto::ServerNames({}));
  FW_ASSIGN(auto key, crypto::PrivateKey::GenerateP256());
  FW_ASSIGN(auto leaf, ca.IssueServer(key, names, clock.Now()));
  crypto::KeyGenerator generator;
  registry::PolicyPublisher publisher({.path = dir + "/policy.snapshot"}, *control, arns);
  registry::ChangeHub hub;
  hub.Add(publisher);
  FW_TRY(publisher.Start());
  registry::Quotas quotas;
  quotas.thing_type_delete_delay_seconds = 0;
  registry::Registry registry({*control, clock, arns, quotas, hub, publisher}, ca, generator);

  FW_ASSIGN(auto keys, access::KeyStore::Open(*control, crypto::SecretBox(std::string(32, 'k')), clock));
  FW_ASSIGN(auto admin, keys->Create(access::Role::kAdmin, "", "test"));
  access::Authenticator authenticator(*keys, clock, {.calls_per_second = 0});
  CounterRegistry counters;
  api::RouterOptions options;
  options.account_id = account.value();
  options.region = arns.region();
  options.page_token_key = std::string(32, 'p');
  options.authenticator = &authenticator;
  options.clock = &clock;
  options.counters = &counters;
  api::Router router(options);
  api::RegisterRegistryHandlers(router, registry, {"localhost", "localhost:8443"});

  http::ServerOptions http_options;
  http_options.tls = http::TlsIdentity{leaf.Pem() + ca.certificate().Pem(), key.PrivatePem()};
  FW_ASSIGN(auto server, http::Server::Start(http_options, [&](const http::Request& request) {
              return router.Serve(request);
            }));
  std::printf("{\"port\": %u, \"id\": \"%s\", \"secret\": \"%s\"}\n", server->port(), admin.id.c_str(),
              admin.secret.c_str());
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server->Stop(Millis(1000));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Status served = Serve(argv[1]);
  if (!served.ok()) std::fprintf(stderr, "%s\n", served.error().ToString().c_str());
  return served.ok() ? 0 : 1;
}
