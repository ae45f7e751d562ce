// Amazon resource names of one account and region (reference: core.md §1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fleetward::api {

/// An ARN in its parts: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
struct ArnParts {
  std::string service;   // "iot"
  std::string region;
  std::string account;
  std::string resource;  // "thinggroup/pumps"
};
/// Nothing when the text is no ARN.
std::optional<ArnParts> ParseArn(std::string_view arn);

class Arns {
 public:
  Arns() = default;
  Arns(std::string account, std::string region) : account_(std::move(account)), region_(std::move(region)) {}
  const std::string& account() const { return account_; }
  const std::string& region() const { return region_; }

  /// "arn:aws:iot:us-east-1:123456789012:KIND/NAME".
  std::string Iot(std::string_view kind, std::string_view name) const;
  std::string Thing(std::string_view name) const { return Iot("thing", name); }
  std::string ThingGroup(std::string_view name) const { return Iot("thinggroup", name); }
  std::string ThingType(std::string_view name) const { return Iot("thingtype", name); }
  std::string BillingGroup(std::string_view name) const { return Iot("billinggroup", name); }
  std::string Certificate(std::string_view id) const { return Iot("cert", id); }
  std::string CaCertificate(std::string_view id) const { return Iot("cacert", id); }
  std::string Policy(std::string_view name) const { return Iot("policy", name); }
  std::string SecurityProfile(std::string_view name) const { return Iot("securityprofile", name); }
  std::string Dimension(std::string_view name) const { return Iot("dimension", name); }
  std::string CustomMetric(std::string_view name) const { return Iot("custommetric", name); }
  std::string MitigationAction(std::string_view name) const { return Iot("mitigationaction", name); }
  std::string ScheduledAudit(std::string_view name) const { return Iot("scheduledaudit", name); }
  std::string RoleAlias(std::string_view name) const { return Iot("rolealias", name); }
  std::string Topic(std::string_view name) const;
  std::string Subscription(std::string_view topic_arn, std::string_view id) const;

  /// NAME of an ARN of that kind in this account and region; nothing for any other text.
  std::optional<std::string> IotName(std::string_view arn, std::string_view kind) const;
  /// Name of an SNS topic of this account and region.
  std::optional<std::string> TopicName(std::string_view arn) const;

 private:
  std::string account_;
  std::string region_;
};

}  // namespace fleetward::api
