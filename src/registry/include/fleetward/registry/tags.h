// Tags: keys and values on the resources that can carry them. Devices notice nothing of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"

namespace fleetward::registry {

/// Thread-safe. `arn` is that of a thing type, thing group, billing group, policy, CA certificate, security profile,
/// custom metric, dimension or role alias; things and device certificates carry none, as in the service.
class Tags {
 public:
  explicit Tags(const Context& context) : context_(context) {}

  /// Sets them, replacing values of the same keys. Errors: kInvalidArgument (no taggable resource, a reserved key),
  /// kNotFound, kLimitExceeded.
  Status Put(std::string_view actor, std::string_view arn, const Attributes& tags);
  /// Keys that are not there are no error. Errors: kInvalidArgument, kNotFound.
  Status Remove(std::string_view actor, std::string_view arn, const std::vector<std::string>& keys);
  /// All of them, by key. Errors: kInvalidArgument, kNotFound.
  Result<Attributes> List(std::string_view arn) const;

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
