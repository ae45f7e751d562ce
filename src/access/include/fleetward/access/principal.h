// Who calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fleetward::access {

/// Each role may do what the one before it may. Values are stored: never change them.
enum class Role : std::uint8_t {
  kViewer = 0,    // reads
  kOperator = 1,  // acts: judges alarms, runs tasks, cuts a device off; does not configure
  kAdmin = 2,     // everything
};
std::string_view RoleName(Role role);  // "viewer"
std::optional<Role> ParseRole(std::string_view name);

struct Principal {
  std::string access_key_id;
  Role role = Role::kViewer;
};

}  // namespace fleetward::access
