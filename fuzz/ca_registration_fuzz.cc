// Registering CAs and certificates with what an API caller and a TLS client send: "CA | verification certificate | code |
// device certificate", parts ended by a zero byte.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "certificate_checks.h"
#include "fleetward/registry/registry.h"
#include "fleetward/store/memory_store.h"

using namespace fleetward;

namespace {

struct World {
  ManualClock clock{FromMillis(1'790'000'000'000)};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(model::AccountId("123456789012"));
  crypto::CertificateAuthority ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  crypto::KeyGenerator keys{{.max_waiting = 4, .ready_keys = 0}};
  registry::ChangeHub hub;
  registry::NoEnforcement enforcement;
  registry::Registry registry{registry::Context{*control, clock, model::Arns("us-east-1", model::AccountId("123456789012")),
                                                registry::Quotas{}, hub, enforcement},
                              ca, keys};
};

std::string Take(std::string_view& text) {
  std::size_t end = text.find('\0');
  std::string part(text.substr(0, end));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string ca = Take(text), verification = Take(text), code = Take(text), device = Take(text);
  if (auto parsed = crypto::Certificate::FromPem(ca); parsed.ok()) {
    Timestamp now = world.clock.Now();
    bool good = registry::CheckCaCertificate(*parsed, now).ok();
    bool proven = registry::CheckVerification(verification, *parsed, code, now).ok();
    if (proven && code.empty()) __builtin_trap();
    (void)good;
  }
  registry::NewCaCertificate request;
  request.pem = ca;
  request.active = request.auto_registration = true;
  request.mode = registry::CertificateMode::kSniOnly;
  auto registered = world.registry.ca_certificates.Register("fuzz", request);
  (void)world.registry.certificates.RegisterWithCa("fuzz", device, ca, registry::CertificateStatus::kActive);
  if (auto parsed = crypto::Certificate::FromPem(device); parsed.ok()) {
    (void)world.registry.certificates.RegisterJustInTime(parsed->der());
  }
  (void)world.registry.certificates.RegisterJustInTime(device);
  if (registered.ok()) {
    (void)world.registry.ca_certificates.Update("fuzz", registered->id, {.active = false});
    if (!world.registry.ca_certificates.Delete("fuzz", registered->id).ok()) __builtin_trap();
  }
  return 0;
}
