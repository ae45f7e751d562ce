// A topic's access policy and the statements that AddPermission puts into it. Private; pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::notify {

/// What a topic without a policy shows: its owner may do everything.
std::string DefaultAccessPolicy(const std::string& topic_arn, const std::string& account);

/// Adds a statement that allows `actions` ("Publish") to `accounts` (12 digits). Errors: kInvalidArgument (label, account,
/// action, a label that is there already).
Result<std::string> WithPermission(const std::string& policy, const std::string& topic_arn, const std::string& label,
                                   std::span<const std::string> accounts, std::span<const std::string> actions);
/// Errors: kNotFound.
Result<std::string> WithoutPermission(const std::string& policy, const std::string& label);

}  // namespace fleetward::notify
