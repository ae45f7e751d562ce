// What is known about a request when policies are evaluated: the values behind policy variables and condition keys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fleetward/base/time.h"
#include "fleetward/model/ip_address.h"

namespace fleetward::policy {

enum class CertificateParty : std::uint8_t { kSubject = 0, kIssuer = 1 };

/// Fields behind `iot:Certificate.{Subject|Issuer}.…` (cert-policy-variables). Values are stored: never change them.
enum class CertificateField : std::uint8_t {
  kCommonName = 0,
  kOrganization = 1,
  kOrganizationalUnit = 2,
  kCountry = 3,
  kState = 4,
  kSerialNumber = 5,
  kTitle = 6,
  kSurname = 7,
  kGivenName = 8,
  kInitials = 9,
  kPseudonym = 10,
  kGenerationQualifier = 11,
  kDistinguishedNameQualifier = 12,
  kAlternativeRfc822Name = 13,
  kAlternativeDnsName = 14,
  kAlternativeDirectoryName = 15,
  kAlternativeUri = 16,
  kAlternativeIpAddress = 17,
};
inline constexpr std::uint8_t kCertificateFieldCount = 18;

/// "CommonName", "AlternativeName.DNSName".
std::string_view CertificateFieldName(CertificateField field);

struct CertificateAttribute {
  CertificateParty party = CertificateParty::kSubject;
  CertificateField field = CertificateField::kCommonName;
  std::string value;  // UTF-8
  bool operator==(const CertificateAttribute&) const = default;
};

/// The compact form in which snapshots and Facts hold attributes. Order of equal fields is the certificate's order;
/// per field the first five values are kept (the service's limit), and values over 1024 bytes are left out.
std::string EncodeCertificateAttributes(std::span<const CertificateAttribute> attributes);
std::string EncodeThingAttributes(const std::map<std::string, std::string>& attributes);

/// Known at CONNECT only.
struct ConnectFacts {
  bool persistent = false;           // clean session / clean start not set
  bool last_will = false;
  std::string_view last_will_topic;  // the topic, not an ARN
};

/// All views must outlive the call that takes the Facts. Empty means unknown: the variable is then not substituted.
struct Facts {
  std::string_view region;                          // of our ARNs: "us-east-1"
  std::string_view account_id;                      // "123456789012"
  std::string_view client_id;                       // iot:ClientId
  std::optional<model::IpAddress> source_ip;        // aws:SourceIp
  std::string_view certificate_id;                  // iot:CertificateId, 64 lower-case hex
  std::string_view certificate_serial;              // iot:Certificate.SerialNumber, as text
  std::string_view certificate_attributes;          // EncodeCertificateAttributes
  /// The thing whose name is the client id *and* that is attached to the certificate (core.md §6). Empty if none.
  std::string_view thing_name;
  std::string_view thing_type;
  std::string_view thing_attributes;                // EncodeThingAttributes
  std::optional<ConnectFacts> connect;
  std::optional<Timestamp> now;                     // aws:CurrentTime, aws:EpochTime
};

}  // namespace fleetward::policy
