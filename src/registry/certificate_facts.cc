#include "certificate_facts.h"

#include <map>
#include <string_view>

namespace fleetward::registry {
namespace {

using policy::CertificateAttribute;
using policy::CertificateField;
using policy::CertificateParty;

const std::map<std::string_view, CertificateField>& NameFields() {
  static const std::map<std::string_view, CertificateField> fields = {
      {"CN", CertificateField::kCommonName},
      {"O", CertificateField::kOrganization},
      {"OU", CertificateField::kOrganizationalUnit},
      {"C", CertificateField::kCountry},
      {"ST", CertificateField::kState},
      {"serialNumber", CertificateField::kSerialNumber},
      {"title", CertificateField::kTitle},
      {"SN", CertificateField::kSurname},
      {"GN", CertificateField::kGivenName},
      {"initials", CertificateField::kInitials},
      {"pseudonym", CertificateField::kPseudonym},
      {"generationQualifier", CertificateField::kGenerationQualifier},
      {"dnQualifier", CertificateField::kDistinguishedNameQualifier},
  };
  return fields;
}

CertificateField FieldOf(crypto::AlternativeKind kind) {
  switch (kind) {
    case crypto::AlternativeKind::kRfc822Name: return CertificateField::kAlternativeRfc822Name;
    case crypto::AlternativeKind::kDnsName: return CertificateField::kAlternativeDnsName;
    case crypto::AlternativeKind::kDirectoryName: return CertificateField::kAlternativeDirectoryName;
    case crypto::AlternativeKind::kUri: return CertificateField::kAlternativeUri;
    case crypto::AlternativeKind::kIpAddress: return CertificateField::kAlternativeIpAddress;
  }
  return CertificateField::kAlternativeDnsName;
}

void Add(CertificateParty party, const std::vector<crypto::NameAttribute>& names,
         const std::vector<crypto::AlternativeName>& alternatives, std::vector<CertificateAttribute>& facts) {
  for (const crypto::NameAttribute& name : names) {
    auto field = NameFields().find(name.type);
    if (field != NameFields().end()) facts.push_back({party, field->second, name.value});
  }
  for (const crypto::AlternativeName& name : alternatives) facts.push_back({party, FieldOf(name.kind), name.value});
}

}  // namespace

std::vector<CertificateAttribute> CertificateFacts(const crypto::Certificate& certificate) {
  std::vector<CertificateAttribute> facts;
  Add(CertificateParty::kSubject, certificate.Subject(), certificate.SubjectAlternativeNames(), facts);
  Add(CertificateParty::kIssuer, certificate.Issuer(), certificate.IssuerAlternativeNames(), facts);
  return facts;
}

}  // namespace fleetward::registry
