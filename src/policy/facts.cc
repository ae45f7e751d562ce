#include "fleetward/policy/facts.h"

#include <array>

#include "fleetward/base/encoding.h"
#include "variables.h"

namespace fleetward::policy {
namespace {

constexpr std::array<std::string_view, kCertificateFieldCount> kFieldNames{
    "CommonName", "Organization", "OrganizationalUnit", "Country", "State", "SerialNumber", "Title", "Surname",
    "GivenName", "Initials", "Pseudonym", "GenerationQualifier", "DistinguishedNameQualifier",
    "AlternativeName.RFC822Name", "AlternativeName.DNSName", "AlternativeName.DirectoryName",
    "AlternativeName.UniformResourceIdentifier", "AlternativeName.IPAddress"};

}  // namespace

std::string_view CertificateFieldName(CertificateField field) {
  return kFieldNames[static_cast<std::size_t>(field) % kCertificateFieldCount];
}

std::string EncodeCertificateAttributes(std::span<const CertificateAttribute> attributes) {
  std::array<std::uint8_t, 256> seen{};
  std::string out;
  ByteWriter writer(out);
  for (const CertificateAttribute& attribute : attributes) {
    std::uint8_t code = AttributeCode(attribute.party, attribute.field);
    if (seen[code]++ >= kMaxAttributeValues || attribute.value.size() > kMaxAttributeBytes) continue;
    writer.U8(code);
    writer.Bytes(attribute.value);
  }
  return out;
}

std::string EncodeThingAttributes(const std::map<std::string, std::string>& attributes) {
  std::string out;
  ByteWriter writer(out);
  for (const auto& [name, value] : attributes) {
    writer.Bytes(name);
    writer.Bytes(value);
  }
  return out;
}

}  // namespace fleetward::policy
