#include "fleetward/notify/message.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::notify {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAttributeName = 256;

Error Bad(std::string why) { return Error(Code::kInvalidArgument, "Invalid parameter: " + std::move(why)); }
// The service has an exception of its own for attribute values.
Error BadValue(std::string why) { return Bad(std::move(why)).WithField("exception", "ParameterValueInvalid"); }

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char p, char t) {
           return p == std::tolower(static_cast<unsigned char>(t));
         });
}

bool IsAttributeName(std::string_view name) {
  bool characters = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c == '.';
  });
  return characters && !name.empty() && name.size() <= kMaxAttributeName && name.front() != '.' && name.back() != '.' &&
         name.find("..") == std::string_view::npos && !StartsWithIgnoringCase(name, "aws.") &&
         !StartsWithIgnoringCase(name, "amazon.");
}

bool IsNumber(const std::string& text) {
  if (text.empty() || text.size() > 64 || std::isspace(static_cast<unsigned char>(text[0]))) return false;
  if (text.find_first_not_of("0123456789+-.eE") != std::string::npos) return false;  // no hex, no infinity
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return *end == '\0';
}

Status CheckAttribute(const std::string& name, const MessageAttribute& attribute) {
  if (!IsAttributeName(name)) return BadValue("The message attribute name '" + name.substr(0, 64) + "' is not allowed");
  auto wrong = [&](const std::string& why) { return BadValue("The message attribute '" + name + "' " + why); };
  if (attribute.value.empty()) return wrong("must contain a non-empty value of its type");
  if (attribute.type == "Binary") return {};
  if (!IsUtf8(attribute.value)) return wrong("must be UTF-8");
  if (attribute.type == "String") return {};
  if (attribute.type == "Number") {
    return IsNumber(attribute.value) ? Status() : Status(wrong("has the type Number, and its value is no number"));
  }
  if (attribute.type != "String.Array") {
    return wrong("has an invalid message attribute type, the set of supported types is String, String.Array, Number, Binary");
  }
  json list = json::parse(attribute.value, nullptr, false);
  bool flat = list.is_array() && std::all_of(list.begin(), list.end(), [](const json& each) { return each.is_primitive(); });
  return flat ? Status() : Status(wrong("has the type String.Array, and its value is no JSON array of plain values"));
}

}  // namespace

std::size_t SizeOf(const Message& message) {
  std::size_t size = message.subject.size() + message.body.size();
  for (const auto& [name, attribute] : message.attributes) {
    size += name.size() + attribute.type.size() + attribute.value.size();
  }
  return size;
}

Status CheckMessage(const Message& message) {
  if (message.subject.size() > 100 || HasControl(message.subject) || !IsUtf8(message.subject)) {
    return Bad("Subject must be at most 100 characters without line breaks or control characters");
  }
  if (message.body.empty() && message.per_protocol.empty()) return Bad("Empty message");
  if (!IsUtf8(message.body)) return Bad("Message must be UTF-8");
  for (const auto& [name, attribute] : message.attributes) FW_TRY(CheckAttribute(name, attribute));
  if (SizeOf(message) > kMaxMessageBytes) return Bad("Message too long");
  return {};
}

std::string AttributesJson(const MessageAttributes& attributes) {
  if (attributes.empty()) return "";
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const auto& [name, attribute] : attributes) {
    std::string value = attribute.type == "Binary" ? Base64Encode(attribute.value) : attribute.value;
    out[name] = {{"Type", attribute.type}, {"Value", std::move(value)}};
  }
  return out.dump();
}

}  // namespace fleetward::notify
