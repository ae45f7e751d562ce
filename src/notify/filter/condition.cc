#include "condition.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr double kLargest = 1e9;
constexpr double kScale = 1e5;

Error Bad(std::string why) { return Error(Code::kInvalidArgument, std::move(why)); }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

// 4 or 16 bytes, or empty.
std::string AddressBytes(std::string_view text) {
  if (text.size() > 45) return "";
  std::string copy(text);
  char bytes[16];
  if (copy.size() == std::string_view(copy.c_str()).size()) {
    if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return std::string(bytes, 4);
    if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return std::string(bytes, 16);
  }
  return "";
}

Result<std::string> Text(const json& value, const char* what) {
  if (!value.is_string()) return Bad(std::string(what) + " must be a text");
  return value.get<std::string>();
}

}  // namespace

Result<Scaled> ScaledOf(double number) {
  if (!(std::fabs(number) <= kLargest)) return Bad("a number must be from -1000000000 to 1000000000");
  return static_cast<Scaled>(std::llround(number * kScale));
}

std::optional<Shown> ShownOf(const json& value) {
  if (value.is_null()) return Shown(std::monostate());
  if (value.is_boolean()) return Shown(value.get<bool>());
  if (value.is_string()) return Shown(std::string_view(value.get_ref<const std::string&>()));
  if (!value.is_number()) return std::nullopt;
  auto scaled = ScaledOf(value.get<double>());
  return scaled.ok() ? std::optional<Shown>(*scaled) : std::nullopt;
}

Result<Condition::Value> Condition::ParseValue(const json& value) {
  if (value.is_null()) return Value(std::monostate());
  if (value.is_boolean()) return Value(value.get<bool>());
  if (value.is_string()) return Value(value.get<std::string>());
  if (!value.is_number()) return Bad("a value must be a text, a number, true, false or null");
  FW_ASSIGN(Scaled scaled, ScaledOf(value.get<double>()));
  return Value(scaled);
}

Result<Condition> Condition::Parse(const json& value) {
  if (value.is_object()) {
    if (value.size() != 1) return Bad("a match expression must have exactly one operator");
    return ParseOperator(value.begin().key(), value.begin().value());
  }
  Condition condition;
  FW_ASSIGN(Value parsed, ParseValue(value));
  condition.values_.push_back(std::move(parsed));
  return condition;
}

Result<Condition> Condition::ParseOperator(const std::string& name, const json& argument) {
  Condition c;
  if (name == "exists") {
    if (!argument.is_boolean()) return Bad("exists must be true or false");
    c.kind_ = argument.get<bool>() ? Kind::kPresent : Kind::kAbsent;
  } else if (name == "prefix" || name == "suffix" || name == "equals-ignore-case") {
    c.kind_ = name == "prefix" ? Kind::kPrefix : name == "suffix" ? Kind::kSuffix : Kind::kIgnoreCase;
    FW_ASSIGN(c.text_, Text(argument, name.c_str()));
  } else if (name == "numeric") {
    c.kind_ = Kind::kRange;
    FW_TRY(c.ParseRange(argument));
  } else if (name == "cidr") {
    c.kind_ = Kind::kCidr;
    FW_ASSIGN(std::string text, Text(argument, "cidr"));
    FW_TRY(c.ParseCidr(text));
  } else if (name == "anything-but") {
    FW_TRY(c.ParseNot(argument));
  } else {
    return Bad("unrecognized match type " + name.substr(0, 64));
  }
  return c;
}

Status Condition::ParseNot(const json& argument) {
  if (argument.is_object()) {
    if (argument.size() != 1) return Bad("anything-but must have exactly one operator");
    std::string name = argument.begin().key();
    if (name != "prefix" && name != "suffix") return Bad("anything-but takes values, prefix or suffix");
    kind_ = name == "prefix" ? Kind::kNotPrefix : Kind::kNotSuffix;
    FW_ASSIGN(text_, Text(argument.begin().value(), name.c_str()));
    return {};
  }
  kind_ = Kind::kNot;
  json one = json::array({argument});
  const json& list = argument.is_array() ? argument : one;
  if (list.empty()) return Bad("anything-but needs a value");
  for (const json& each : list) {
    if (!each.is_string() && !each.is_number()) return Bad("anything-but takes texts and numbers");
    FW_ASSIGN(Value value, ParseValue(each));
    values_.push_back(std::move(value));
  }
  return {};
}

// ["=", 5] or one or two of "<", "<=", ">", ">=" with their numbers.
Status Condition::ParseRange(const json& argument) {
  if (!argument.is_array() || (argument.size() != 2 && argument.size() != 4)) {
    return Bad("numeric must be a list of operators and numbers");
  }
  for (std::size_t i = 0; i < argument.size(); i += 2) {
    if (!argument[i].is_string() || !argument[i + 1].is_number()) return Bad("numeric takes an operator, then a number");
    const auto& op = argument[i].get_ref<const std::string&>();
    FW_ASSIGN(Scaled number, ScaledOf(argument[i + 1].get<double>()));
    if (op == "=" && argument.size() == 2) {
      range_.low = range_.high = number;
    } else if ((op == ">" || op == ">=") && !range_.low) {
      range_.low = number;
      range_.low_included = op == ">=";
    } else if ((op == "<" || op == "<=") && !range_.high) {
      range_.high = number;
      range_.high_included = op == "<=";
    } else {
      return Bad("numeric has an operator that is unknown or given twice");
    }
  }
  if (range_.low && range_.high && *range_.low > *range_.high) return Bad("numeric describes no number: bottom above top");
  return {};
}

Status Condition::ParseCidr(const std::string& text) {
  std::size_t slash = text.find('/');
  network_ = AddressBytes(std::string_view(text).substr(0, slash));
  int most = static_cast<int>(network_.size()) * 8;
  network_bits_ = most;
  if (slash != std::string::npos) {
    std::string_view bits = std::string_view(text).substr(slash + 1);
    bool digits = !bits.empty() && bits.size() <= 3 && bits.find_first_not_of("0123456789") == std::string_view::npos;
    network_bits_ = digits ? std::atoi(std::string(bits).c_str()) : most + 1;
  }
  if (network_.empty() || network_bits_ > most) return Bad("cidr must be an address or a network such as 10.0.0.0/24");
  return {};
}

bool Condition::InNetwork(std::string_view text) const {
  std::string address = AddressBytes(text);
  if (address.size() != network_.size()) return false;
  for (int bit = 0; bit < network_bits_; bit += 8) {
    int keep = std::min(8, network_bits_ - bit);
    auto mask = static_cast<unsigned char>(0xff << (8 - keep));
    auto at = static_cast<std::size_t>(bit / 8);
    if ((static_cast<unsigned char>(address[at] ^ network_[at]) & mask) != 0) return false;
  }
  return true;
}

bool Condition::Accepts(const Shown& shown) const {
  auto equals = [&](const Value& value) {
    if (value.index() != shown.index()) return false;
    if (const auto* text = std::get_if<std::string>(&value)) return *text == std::get<std::string_view>(shown);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag == std::get<bool>(shown);
    if (const auto* number = std::get_if<Scaled>(&value)) return *number == std::get<Scaled>(shown);
    return true;
  };
  const auto* text = std::get_if<std::string_view>(&shown);
  const auto* number = std::get_if<Scaled>(&shown);
  switch (kind_) {
    case Kind::kPresent: return true;
    case Kind::kAbsent: return false;
    case Kind::kEqual: return std::any_of(values_.begin(), values_.end(), equals);
    case Kind::kNot: return std::none_of(values_.begin(), values_.end(), equals);
    case Kind::kPrefix: return text != nullptr && text->starts_with(text_);
    case Kind::kSuffix: return text != nullptr && text->ends_with(text_);
    case Kind::kNotPrefix: return text != nullptr && !text->starts_with(text_);
    case Kind::kNotSuffix: return text != nullptr && !text->ends_with(text_);
    case Kind::kIgnoreCase: return text != nullptr && SameIgnoringCase(*text, text_);
    case Kind::kCidr: return text != nullptr && InNetwork(*text);
    case Kind::kRange: break;
  }
  if (number == nullptr) return false;
  if (range_.low && (*number < *range_.low || (*number == *range_.low && !range_.low_included))) return false;
  return !range_.high || *number < *range_.high || (*number == *range_.high && range_.high_included);
}

}  // namespace fleetward::notify
