// Amazon resource names of one account and region (core.md §1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fleetward/model/names.h"

namespace fleetward::model {

/// "thing" and "MyDevice" of arn:aws:iot:us-east-1:123456789012:thing/MyDevice.
struct ArnResource {
  std::string type;
  std::string id;
};

class Arns {
 public:
  Arns() = default;
  Arns(std::string region, AccountId account) : region_(std::move(region)), account_(std::move(account)) {}

  /// "arn:aws:iot:us-east-1:123456789012:TYPE/ID".
  std::string Of(std::string_view type, std::string_view id) const;
  std::string Thing(std::string_view name) const { return Of("thing", name); }
  std::string ThingType(std::string_view name) const { return Of("thingtype", name); }
  std::string ThingGroup(std::string_view name) const { return Of("thinggroup", name); }
  std::string Certificate(std::string_view id) const { return Of("cert", id); }
  std::string CaCertificate(std::string_view id) const { return Of("cacert", id); }
  std::string Policy(std::string_view name) const { return Of("policy", name); }
  std::string SecurityProfile(std::string_view name) const { return Of("securityprofile", name); }
  std::string CustomMetric(std::string_view name) const { return Of("custommetric", name); }
  std::string Dimension(std::string_view name) const { return Of("dimension", name); }
  /// Of an SNS topic: "arn:aws:sns:us-east-1:123456789012:NAME".
  std::string Topic(std::string_view name) const;

  /// Nothing when the text is no IoT ARN of this account and region.
  std::optional<ArnResource> Parse(std::string_view arn) const;
  /// Id of an ARN of that type; nothing for any other text.
  std::optional<std::string> IdOf(std::string_view arn, std::string_view type) const;

  const std::string& region() const { return region_; }
  const AccountId& account() const { return account_; }

 private:
  std::string region_;
  AccountId account_;
};

}  // namespace fleetward::model
