// What no policy can grant to a device (D31, D43; threats.md a, b, c, d, e). Checked before policies.
#pragma once

#include <cstdint>
#include <string_view>

#include "fleetward/policy/action.h"
#include "fleetward/policy/topic.h"

namespace fleetward::policy {

/// Why a request was refused; kNone means it was not. Closed set: a counter's label.
enum class Refusal : std::uint8_t {
  kNone,
  kUnknownCertificate,
  kCertificateNotActive,
  kCertificateExpired,
  kClientIdInvalid,       // empty, over 128 bytes, begins with $, not UTF-8
  kForeignClientId,       // names a thing that is attached to other certificates
  kTopicInvalid,          // not a topic or filter, too long, too many levels
  kReservedTopic,         // $ topics that devices cannot use this way
  kForeignReport,         // a report, answer or event of somebody else
  kRetainOnReserved,      // RETAIN on a $ topic
  kOverride,              // the thing's override (quarantine) does not allow it
  kExplicitDeny,
  kImplicitDeny,
};
std::string_view RefusalName(Refusal refusal);  // "foreign-report"

struct DeviceRules {
  TopicLimits topic;
  std::size_t max_client_id_bytes = 128;
  /// `ingest.report_for_others`: a certificate attached to exactly one thing may report for other things, if its
  /// policies say so. Certificates of no thing or several may always (by policy).
  bool report_for_others = false;
};

/// Who asks, as far as these rules need it.
class Ownership {
 public:
  virtual ~Ownership() = default;
  /// True for names whose reports, answers and events are the caller's own: things attached to its certificate,
  /// and its client id unless that names a thing of other certificates.
  virtual bool Owns(std::string_view thing_name) const = 0;
  /// True when the certificate is attached to exactly one thing.
  virtual bool HasExactlyOneThing() const = 0;
  virtual std::string_view client_id() const = 0;
};

Refusal CheckClientId(const DeviceRules& rules, std::string_view client_id);
Refusal CheckPublish(const DeviceRules& rules, const Ownership& who, std::string_view topic, bool retain);
/// `filter` as sent, with $share/{name}/. Policies are then asked about StripShare(filter).
Refusal CheckSubscribe(const DeviceRules& rules, const Ownership& who, std::string_view filter);
Refusal CheckReceive(const DeviceRules& rules, const Ownership& who, std::string_view topic);

}  // namespace fleetward::policy
