// One value of a filter policy: what it accepts. Private.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::notify {

/// A number in units of 0.00001: the service compares five digits after the point.
using Scaled = std::int64_t;

/// One value that a message shows under a key.
using Shown = std::variant<std::monostate, bool, Scaled, std::string_view>;  // null, true/false, number, text
/// Numbers beyond ±10^9 are compared with nothing: no value.
std::optional<Shown> ShownOf(const nlohmann::json& value);
/// Errors: kInvalidArgument beyond ±10^9.
Result<Scaled> ScaledOf(double number);

class Condition {
 public:
  /// `value` is one element of a key's array. Errors: kInvalidArgument with the reason.
  static Result<Condition> Parse(const nlohmann::json& value);

  bool Accepts(const Shown& shown) const;
  bool wants_absent() const { return kind_ == Kind::kAbsent; }
  bool wants_present() const { return kind_ == Kind::kPresent; }

 private:
  enum class Kind : std::uint8_t {
    kEqual, kPrefix, kSuffix, kIgnoreCase, kRange, kCidr, kPresent, kAbsent, kNot, kNotPrefix, kNotSuffix,
  };
  using Value = std::variant<std::monostate, bool, Scaled, std::string>;
  struct Range {
    std::optional<Scaled> low, high;
    bool low_included = true, high_included = true;
  };

  static Result<Value> ParseValue(const nlohmann::json& value);
  static Result<Condition> ParseOperator(const std::string& name, const nlohmann::json& argument);
  Status ParseNot(const nlohmann::json& argument);
  Status ParseRange(const nlohmann::json& argument);
  Status ParseCidr(const std::string& text);
  bool InNetwork(std::string_view text) const;

  Kind kind_ = Kind::kEqual;
  std::vector<Value> values_;
  std::string text_;
  Range range_;
  std::string network_;  // 4 or 16 bytes
  int network_bits_ = 0;
};

}  // namespace fleetward::notify
