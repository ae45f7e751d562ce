#include "fleetward/registry/objects.h"

#include <array>
#include <utility>

namespace fleetward::registry {
namespace {

constexpr std::array<std::pair<CertificateStatus, std::string_view>, 6> kNames = {{
    {CertificateStatus::kActive, "ACTIVE"},
    {CertificateStatus::kInactive, "INACTIVE"},
    {CertificateStatus::kRevoked, "REVOKED"},
    {CertificateStatus::kPendingTransfer, "PENDING_TRANSFER"},
    {CertificateStatus::kRegisterInactive, "REGISTER_INACTIVE"},
    {CertificateStatus::kPendingActivation, "PENDING_ACTIVATION"},
}};

}  // namespace

std::string_view CertificateStatusName(CertificateStatus status) {
  for (const auto& [value, name] : kNames) {
    if (value == status) return name;
  }
  return "INACTIVE";
}

std::optional<CertificateStatus> ParseCertificateStatus(std::string_view name) {
  for (const auto& [value, text] : kNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

}  // namespace fleetward::registry
