// Names of enumerations on the wire.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace fleetward::api::codec {

constexpr std::string_view EnumName(std::span<const std::string_view> names, std::size_t index) {
  return index < names.size() ? names[index] : std::string_view();
}

constexpr std::optional<std::size_t> EnumIndex(std::span<const std::string_view> names, std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return i;
  }
  return std::nullopt;
}

}  // namespace fleetward::api::codec
