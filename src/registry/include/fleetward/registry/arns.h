// Amazon resource names of one account and region (core.md §1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/model/names.h"

namespace fleetward::registry {

/// "thing" and "MyDevice" of arn:aws:iot:us-east-1:123456789012:thing/MyDevice.
struct ArnResource {
  std::string type;
  std::string id;
};

class Arns {
 public:
  Arns(std::string region, model::AccountId account) : region_(std::move(region)), account_(std::move(account)) {}

  std::string Of(std::string_view type, std::string_view id) const {
    return "arn:aws:iot:" + region_ + ":" + account_.value() + ":" + std::string(type) + "/" + std::string(id);
  }
  std::string Thing(std::string_view name) const { return Of("thing", name); }
  std::string ThingType(std::string_view name) const { return Of("thingtype", name); }
  std::string ThingGroup(std::string_view name) const { return Of("thinggroup", name); }
  std::string Certificate(std::string_view id) const { return Of("cert", id); }
  std::string Policy(std::string_view name) const { return Of("policy", name); }
  std::string SecurityProfile(std::string_view name) const { return Of("securityprofile", name); }
  std::string CustomMetric(std::string_view name) const { return Of("custommetric", name); }
  std::string Dimension(std::string_view name) const { return Of("dimension", name); }

  /// Nothing when the text is no IoT ARN of this account and region.
  std::optional<ArnResource> Parse(std::string_view arn) const;

  const std::string& region() const { return region_; }
  const model::AccountId& account() const { return account_; }

 private:
  std::string region_;
  model::AccountId account_;
};

}  // namespace fleetward::registry
