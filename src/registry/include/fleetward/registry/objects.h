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
#include "fleetward/model/behavior.h"
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
  std::uint64_t order = 0;  // grows from one thing made to the next
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
  std::uint64_t order = 0;  // grows from one group made to the next
};

/// Values are stored: never change them.
enum class DynamicGroupStatus : std::uint8_t { kActive = 0, kBuilding = 1, kRebuilding = 2 };

/// What makes a thing group a dynamic one.
struct DynamicQuery {
  std::string query;
  DynamicGroupStatus status = DynamicGroupStatus::kBuilding;
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

/// What auto-registration would hand to a provisioning template; kept as given.
struct RegistrationConfig {
  std::optional<std::string> template_body;
  std::optional<std::string> role_arn;
  std::optional<std::string> template_name;
  bool operator==(const RegistrationConfig&) const = default;
};

/// An operator's own CA.
struct CaCertificate {
  std::string id;
  bool active = false;
  bool auto_registration = false;  // just-in-time: its unknown certificates are registered at their first connect
  CertificateMode mode = CertificateMode::kDefault;
  std::string der;
  std::int64_t customer_version = 1;
  Id128 generation;
  Timestamp created{};
  Timestamp modified{};
  Timestamp not_before{};
  Timestamp not_after{};
  std::optional<RegistrationConfig> config;
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

/// What of a security profile its owner writes. Members that were left out stay absent (detect.md §6).
struct ProfileContent {
  std::optional<std::string> description{};
  std::optional<std::vector<model::Behavior>> behaviors{};
  std::optional<std::map<std::string, model::AlertTarget>> alert_targets{};
  /// The old and the new form of additionalMetricsToRetain, each as it was given.
  std::optional<std::vector<std::string>> metrics_to_retain{};
  std::optional<std::vector<model::MetricToRetain>> metrics_to_retain_v2{};
  std::optional<model::MetricsExportConfig> metrics_export{};
  bool operator==(const ProfileContent&) const = default;
};

struct SecurityProfile {
  model::SecurityProfileName name;
  ProfileContent content;
  std::int64_t version = 1;
  /// One for each behavior, in order (detect::NextDefinitionVersions).
  std::vector<std::int64_t> definition_versions;
  Timestamp created{};
  Timestamp modified{};
};

/// Every metric that the profile retains, from both forms, each once.
std::vector<model::MetricToRetain> RetainedMetrics(const ProfileContent& content);
/// The profile as the engine knows it.
model::SecurityProfile EngineForm(const SecurityProfile& profile);

struct CustomMetric {
  model::CustomMetricName name;
  model::MetricId id = model::kFirstCustomMetric;  // never given to another metric
  model::CustomMetricType type = model::CustomMetricType::kNumber;
  std::optional<std::string> display_name;
  std::string request_token;                       // clientRequestToken of its creation
  Timestamp created{};
  Timestamp modified{};
};

/// Type TOPIC_FILTER, the only one there is.
struct Dimension {
  model::DimensionName name;
  std::uint32_t number = 0;  // from 1; never given again
  std::vector<std::string> topic_filters;
  std::string request_token;
  Timestamp created{};
  Timestamp modified{};
};

/// "ACTIVE" and so on, as the API spells them.
std::string_view CertificateStatusName(CertificateStatus status);
std::optional<CertificateStatus> ParseCertificateStatus(std::string_view name);

}  // namespace fleetward::registry
