// Who calls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetward::access {

/// Each role may do what the one before it may. Values are stored: never change them.
enum class Role : std::uint8_t {
  kViewer = 0,    // reads
  kOperator = 1,  // acts: judges alarms, runs tasks, cuts a device off; does not configure
  kAdmin = 2,     // everything
};
std::string_view RoleName(Role role);  // "viewer"
std::optional<Role> ParseRole(std::string_view name);

/// The thing groups that a key is scoped to; their descendants belong to them (threats.md q).
struct Scope {
  std::vector<std::string> thing_groups;
};

struct Principal {
  std::string access_key_id;
  Role role = Role::kViewer;
  /// Null: no scope, the role alone decides. Else only operations that know scopes are allowed, and only for things of
  /// these groups; everything else is denied.
  std::shared_ptr<const Scope> scope;
};

/// What a scoped key's calls are judged by: membership as it is now. Implemented where the registry is known.
class ScopeDirectory {
 public:
  virtual ~ScopeDirectory() = default;
  /// False for things that do not exist, so that a denial tells nothing.
  virtual bool ThingInScope(std::string_view thing_name, const Scope& scope) const = 0;
  virtual bool GroupInScope(std::string_view group_name, const Scope& scope) const = 0;
  /// A certificate that is attached to things of the scope alone, and to at least one.
  virtual bool CertificateInScope(std::string_view certificate_id, const Scope& scope) const = 0;
  /// An alarm that is on, of a thing of the scope.
  virtual bool ViolationInScope(std::string_view violation_id, const Scope& scope) const = 0;
};

}  // namespace fleetward::access
