// TOML text as a flat list of entries; the one place that sees the TOML library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::config {

/// A value of TOML that options can take.
using TomlValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct TomlEntry {
  std::string key;       // dotted: "api.listen"
  TomlValue value;
  std::uint32_t line = 0;
};

/// One `[[name]]`.
struct TomlElement {
  std::string name;
  std::uint32_t line = 0;
  std::vector<TomlEntry> entries;
};

struct TomlDocument {
  std::vector<TomlEntry> entries;
  std::vector<TomlElement> elements;
};

/// Errors: kInvalidArgument naming `source`, line and fault. Dates, mixed arrays and tables nested over 8 deep are
/// faults, as is text over 1 MiB.
Result<TomlDocument> ParseToml(std::string_view text, std::string_view source);

}  // namespace fleetward::config
