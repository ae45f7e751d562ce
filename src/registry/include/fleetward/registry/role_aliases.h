// Role aliases: stored and described, for audit. Nothing here gives out credentials for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct RoleAlias {
  std::string name{};
  std::string role_arn{};
  std::int32_t credential_seconds = 3600;
  Timestamp created{};
  Timestamp modified{};
};

struct NewRoleAlias {
  std::string name{};
  std::string role_arn{};
  std::optional<std::int32_t> credential_seconds{};
  Attributes tags{};
};

class RoleAliases {
 public:
  explicit RoleAliases(const Context& context) : context_(context) {}

  std::string Arn(std::string_view name) const { return context_.arns.Of("rolealias", name); }

  /// The same content again gives the existing alias. Errors: kAlreadyExists, kLimitExceeded, kInvalidArgument (the role
  /// ARN, tags).
  Result<RoleAlias> Create(std::string_view actor, const NewRoleAlias& request);
  Result<RoleAlias> Describe(std::string_view name) const;
  /// By name; may be descending.
  Result<Page<std::string>> List(const PageRequest& page) const;
  /// Errors: kNotFound, kInvalidArgument.
  Result<RoleAlias> Update(std::string_view actor, std::string_view name, const std::optional<std::string>& role_arn,
                           std::optional<std::int32_t> credential_seconds);
  /// Errors: kNotFound.
  Status Delete(std::string_view actor, std::string_view name);

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
