// The registry's tables. Keys are store::OrderedKey unless said otherwise; index tables have empty values.
// Formats: docs/storage-control-plane.md.
#pragma once

#include "fleetward/store/control_store.h"

namespace fleetward::registry {

using store::Table;

inline constexpr Table kThings{"things", true};                         // name (plain)
inline constexpr Table kThingsByType{"things_by_type"};                 // type, name
inline constexpr Table kThingsByAttribute{"things_by_attribute"};       // attribute, value, name
inline constexpr Table kThingTypes{"thing_types", true};                // name (plain)
inline constexpr Table kThingGroups{"thing_groups", true};              // name (plain)
inline constexpr Table kDynamicGroups{"dynamic_thing_groups", true};   // name (plain)
inline constexpr Table kFleetIndex{"fleet_index", true};                // "things", "thing_groups": what is indexed
inline constexpr Table kGroupChildren{"thing_group_children"};          // parent, child
inline constexpr Table kGroupMembers{"thing_group_members", true};      // group, thing
inline constexpr Table kGroupsOfThing{"thing_groups_of"};               // thing, group
inline constexpr Table kCertificates{"certificates", true};             // id (plain)
inline constexpr Table kCertificateBodies{"certificate_bodies"};        // id (plain): DER
inline constexpr Table kCertificatesByTime{"certificates_by_time"};     // 8 bytes big-endian ms, then id
inline constexpr Table kCertificatesByCa{"certificates_by_ca"};         // CA id, 8 bytes big-endian ms and id
inline constexpr Table kCaCertificates{"ca_certificates", true};        // id (plain)
inline constexpr Table kCaCertificateBodies{"ca_certificate_bodies"};   // id (plain): DER
inline constexpr Table kCaCertificatesByTime{"ca_certificates_by_time"};        // 8 bytes big-endian ms, then id
inline constexpr Table kCaCertificatesBySubject{"ca_certificates_by_subject"};  // SHA-256 of the subject, id
inline constexpr Table kRegistrationCode{"registration_code", true};    // "code": 64 hex
inline constexpr Table kPrincipalThings{"principal_things", true};      // certificate id, thing
inline constexpr Table kThingPrincipals{"thing_principals"};            // thing, certificate id
inline constexpr Table kPolicies{"policies", true};                     // name (plain)
inline constexpr Table kPoliciesByTime{"policies_by_time"};             // 8 bytes big-endian ms, then name
inline constexpr Table kPolicyVersions{"policy_versions", true};        // name, 4 bytes big-endian number
inline constexpr Table kPolicyTargets{"policy_targets", true};          // policy, target
inline constexpr Table kTargetPolicies{"target_policies"};              // target, policy
inline constexpr Table kSecurityProfiles{"security_profiles", true};    // name (plain)
inline constexpr Table kProfileTargets{"security_profile_targets", true};  // profile, target
inline constexpr Table kTargetProfiles{"target_security_profiles"};     // target, profile
inline constexpr Table kCustomMetrics{"custom_metrics", true};          // name (plain)
inline constexpr Table kDimensions{"dimensions", true};                 // name (plain)
inline constexpr Table kNumbers{"registry_numbers"};                    // "custom_metric", "dimension": next number, 4 bytes big-endian
inline constexpr Table kTags{"tags", true};                             // resource ("thinggroup/x"), tag key: value
inline constexpr Table kBillingGroups{"billing_groups", true};          // name (plain)
inline constexpr Table kThingsByBillingGroup{"things_by_billing_group"};  // billing group, thing
inline constexpr Table kRoleAliases{"role_aliases", true};              // name (plain)
inline constexpr Table kAccountSettings{"account_settings", true};      // "logging", "logging_v2", "events"
inline constexpr Table kLogLevels{"log_levels", true};                  // target type, target name: level

}  // namespace fleetward::registry
