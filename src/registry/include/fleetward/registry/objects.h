// What the registry keeps, as values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/id128.h"
#include "fleetward/base/time.h"
#include "fleetward/model/names.h"
#include "fleetward/policy/snapshot.h"

namespace fleetward::registry {

using Attributes = std::map<std::string, std::string>;
using policy::CertificateStatus;

struct Thing {
  model::ThingName name;
  Id128 id;                 // thingId; the thing's EntityId
  std::string type;         // empty: none
  std::string billing_group;
  Attributes attributes;
  std::int64_t version = 1;
  Timestamp created{};
};

struct ThingType {
  std::string name;
  Id128 id;
  std::string description;
  std::vector<std::string> searchable_attributes;
  Timestamp created{};
  std::optional<Timestamp> deprecated;
};

struct ThingGroup {
  model::ThingGroupName name;
  Id128 id;
  std::string parent;  // empty: a root
  std::string description;
  Attributes attributes;
  std::int64_t version = 1;
  Timestamp created{};
};

/// Values are stored: never change them.
enum class CertificateMode : std::uint8_t { kDefault = 0, kSniOnly = 1 };

struct Certificate {
  model::CertificateId id;
  CertificateStatus status = CertificateStatus::kInactive;
  CertificateMode mode = CertificateMode::kDefault;
  std::string der;
  std::string ca_id;           // registered CA that signed it; empty for our own CA and for none
  std::int64_t customer_version = 1;
  Id128 generation;
  Timestamp created{};
  Timestamp modified{};
  Timestamp not_before{};
  Timestamp not_after{};
  std::string serial;          // lower-case hex, for iot:Certificate.SerialNumber
  std::string policy_facts;    // policy::EncodeCertificateAttributes
};

struct Policy {
  model::PolicyName name;
  std::uint32_t default_version = 1;
  std::uint32_t next_version = 2;  // numbers are never given again
  Id128 generation;
  Timestamp created{};
  Timestamp modified{};
};

struct PolicyVersion {
  std::uint32_t number = 1;
  std::string document;
  Timestamp created{};
};

/// "ACTIVE" and so on, as the API spells them.
std::string_view CertificateStatusName(CertificateStatus status);
std::optional<CertificateStatus> ParseCertificateStatus(std::string_view name);

}  // namespace fleetward::registry
