#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "fleetward/base/file.h"
#include "fleetward/crypto/certificate_authority.h"

namespace fleetward::crypto {
namespace {

// Canonical text of an address, so that "0:0::1" equals "::1"; nothing for host names.
std::string AddressText(const std::string& name) {
  unsigned char bytes[16];
  char text[INET6_ADDRSTRLEN] = "";
  for (int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, name.c_str(), bytes) == 1) return inet_ntop(family, bytes, text, sizeof text);
  }
  return {};
}

// Letters, digits, '-', '.', '_' and a leading "*.": nothing that could add another entry to the extension's text.
bool IsHostName(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return c < 0x80 && (std::isalnum(c) || c == '-' || c == '.' || c == '_');
         });
}

std::vector<std::string> NamesOf(const Certificate& certificate) {
  std::vector<std::string> names;
  for (AlternativeName& name : certificate.SubjectAlternativeNames()) names.push_back(std::move(name.value));
  std::sort(names.begin(), names.end());
  return names;
}

bool IsStillGood(const std::string& certificate_path, const std::string& key_path, const CertificateAuthority& ca,
                 const std::vector<std::string>& names, Timestamp now) {
  auto certificate_pem = ReadFile(certificate_path);
  auto key_pem = ReadFile(key_path);
  if (!certificate_pem.ok() || !key_pem.ok()) return false;
  auto certificate = Certificate::FromPem(*certificate_pem);
  auto key = PrivateKey::FromPem(*key_pem);
  if (!certificate.ok() || !key.ok() || !certificate->Matches(*key)) return false;
  auto life = certificate->not_after() - certificate->not_before();
  return certificate->IsSignedBy(ca.certificate()) && NamesOf(*certificate) == names &&
         certificate->not_before() <= now && certificate->not_after() - now > life / 3;
}

}  // namespace

Result<std::vector<std::string>> ServerNames(const std::vector<std::string>& configured) {
  std::set<std::string> names = {"localhost", "127.0.0.1", "::1"};
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) == 0 && IsHostName(host)) names.insert(host);
  for (const std::string& name : configured) {
    std::string address = AddressText(name);
    if (address.empty() && !IsHostName(name)) {
      return Error(Code::kInvalidArgument, "tls.hostnames: \"" + name + "\" is neither a host name nor an address");
    }
    names.insert(address.empty() ? name : address);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<ServerIdentity> EnsureServerCertificate(const std::string& dir, const CertificateAuthority& ca,
                                               const std::vector<std::string>& names, Timestamp now) {
  ServerIdentity identity{dir + "/server.pem", dir + "/server.key", false};
  if (IsStillGood(identity.certificate_path, identity.key_path, ca, names, now)) return identity;
  FW_ASSIGN(PrivateKey key, PrivateKey::GenerateP256());
  FW_ASSIGN(Certificate certificate, ca.IssueServer(key, names, now));
  // A crash in between leaves a pair that does not match, which the next start replaces.
  FW_TRY(WriteFileAtomic(identity.key_path, key.PrivatePem(), 0600));
  FW_TRY(WriteFileAtomic(identity.certificate_path, certificate.Pem() + ca.certificate().Pem(), 0644));
  identity.issued = true;
  return identity;
}

}  // namespace fleetward::crypto
