#pragma once

#include <string_view>

namespace fleetward::app {

inline constexpr std::string_view kVersion = FLEETWARD_VERSION;  // set by the build

}  // namespace fleetward::app
