// The service model's patterns, for names that do not come through the API's own checks.
#pragma once

#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::registry {

/// 1-128 of [a-zA-Z0-9:_-]; thing groups and thing types have the same.
bool IsThingName(std::string_view name);
/// 1-128 of [a-zA-Z0-9_+=,.@-].
bool IsPolicyName(std::string_view name);
/// 1-128 of [a-zA-Z0-9_.,@/:#-].
bool IsAttributeName(std::string_view name);
/// 0-800 of the same characters.
bool IsAttributeValue(std::string_view value);
/// kInvalidArgument unless it looks like "arn:aws:iam::123456789012:role/path/name".
Status CheckRoleArn(std::string_view arn);

}  // namespace fleetward::registry
