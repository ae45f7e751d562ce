// wire_server DIR: serves FakeService over TLS until its standard input ends, for tests with stock clients. Writes
// DIR/ca.pem; prints one line of JSON: port, access key id, secret.
#include <unistd.h>

#include <cstdio>

#include "fake_service.h"
#include "fleetward/base/file.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/http/server.h"

int main(int argc, char** argv) {
  using namespace fleetward;
  if (argc != 2) return 2;
  SystemClock clock;
  api::testing::FakeService service(clock);
  crypto::CertificateAuthority ca = crypto::CertificateAuthority::Create(clock.Now()).value();
  crypto::PrivateKey key = crypto::PrivateKey::GenerateP256().value();
  crypto::Certificate leaf = ca.IssueServer(key, {"localhost", "127.0.0.1"}, clock.Now()).value();
  if (!WriteFileAtomic(std::string(argv[1]) + "/ca.pem", ca.certificate().Pem()).ok()) return 1;
  http::ServerOptions options;
  options.tls = http::TlsIdentity{leaf.Pem() + ca.certificate().Pem(), key.PrivatePem()};
  auto server = http::Server::Start(options, [&](const http::Request& request) { return service.router->Serve(request); });
  if (!server.ok()) return 1;
  access::NewAccessKey viewer = service.keys->Create(access::Role::kViewer, "", "test").value();
  std::printf("{\"port\": %u, \"id\": \"%s\", \"secret\": \"%s\", \"viewer_id\": \"%s\", \"viewer_secret\": \"%s\"}\n",
              server.value()->port(), service.admin.id.c_str(), service.admin.secret.c_str(), viewer.id.c_str(),
              viewer.secret.c_str());
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server.value()->Stop(Millis(1000));
  return 0;
}
