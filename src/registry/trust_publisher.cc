#include "fleetward/registry/trust_publisher.h"

#include <set>

#include "access.h"
#include "certificate_checks.h"
#include "fleetward/base/log.h"
#include "fleetward/crypto/trust_folder.h"

namespace fleetward::registry {
namespace {

constexpr std::string_view kPrefix = "ca-";  // ours; the local CA has another name

std::string NameOf(const std::string& id) { return std::string(kPrefix) + id; }

void Note(const Status& done, const std::string& id) {
  if (!done.ok()) log::Error("trusted-ca-unwritten", {{"ca", id}, {"error", done.error().ToString()}});
}

}  // namespace

Status TrustPublisher::Start(const store::ControlStore& store) {
  std::set<std::string> wanted;
  FW_TRY(store.Read([&](ConstReader reader) -> Status {
    return reader.Scan(kCaCertificateBodies, "", "", [&](std::string_view key, std::string_view der) {
      std::string id(key);
      auto x509 = crypto::Certificate::FromDer(der);
      Note(x509.ok() ? crypto::TrustCa(folder_, NameOf(id), *x509) : Status(x509.error()), id);
      wanted.insert(NameOf(id));
      return true;
    });
  }));
  FW_ASSIGN(auto present, crypto::TrustedNames(folder_));
  for (const std::string& name : present) {
    if (name.starts_with(kPrefix) && !wanted.contains(name)) FW_TRY(crypto::DistrustCa(folder_, name));
  }
  return {};
}

void TrustPublisher::OnChanges(std::span<const Change> changes) {
  for (const Change& change : changes) {
    const auto* event = std::get_if<CaCertificateChanged>(&change);
    if (event == nullptr || event->before.has_value() == event->now.has_value()) continue;
    if (event->before) {
      Note(crypto::DistrustCa(folder_, NameOf(event->id)), event->id);
      continue;
    }
    auto x509 = crypto::Certificate::FromDer(event->now->der);
    Note(x509.ok() ? crypto::TrustCa(folder_, NameOf(event->id), *x509) : Status(x509.error()), event->id);
  }
}

}  // namespace fleetward::registry
