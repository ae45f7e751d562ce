// How options look as text; shared by reading and printing.
#pragma once

#include <string_view>
#include <vector>

#include "fleetward/config/option.h"

namespace fleetward::config {

inline std::vector<std::string_view> SplitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// "a text", as errors and the reference page say it.
inline std::string_view TypeName(const ValueRef& ref) {
  static constexpr std::string_view kNames[] = {"true or false", "a whole number", "a number", "a text",
                                                "a list of texts"};
  return kNames[ref.index()];
}

}  // namespace fleetward::config
