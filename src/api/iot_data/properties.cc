#include "properties.h"

#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"
#include "fleetward/policy/topic.h"

namespace fleetward::api {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxText = 1024;                // bytes, as MqttHeaders of topic rules has it
constexpr std::size_t kMaxUserProperties = 8 * 1024;  // core.md §7
constexpr std::int64_t kMaxExpiry = 604'800;          // core.md §7

Error Bad(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

bool IsText(std::string_view text) { return IsUtf8(text) && text.find('\0') == std::string_view::npos; }

Result<std::string> CorrelationData(const std::string& text) {
  auto bytes = Base64Decode(text);
  if (!bytes) return Bad("correlationData must be base64");
  if (bytes->size() > kMaxText) return Bad("correlationData is larger than " + std::to_string(kMaxText) + " bytes");
  return std::move(*bytes);
}

// The header holds JSON; SDKs put the JSON text that they are given into a JSON string once more.
Result<json> UserPropertyArray(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_string()) parsed = json::parse(parsed.get_ref<const std::string&>(), nullptr, false);
  if (!parsed.is_array()) return Bad("userProperties must be a JSON array of objects");
  return parsed;
}

Result<std::vector<std::pair<std::string, std::string>>> UserProperties(const std::string& text) {
  FW_ASSIGN(json array, UserPropertyArray(text));
  std::vector<std::pair<std::string, std::string>> properties;
  std::size_t bytes = 0;
  for (const json& object : array) {
    if (!object.is_object()) return Bad("userProperties must be a JSON array of objects");
    for (const auto& member : object.items()) {
      if (!member.value().is_string()) return Bad("userProperties: the value of " + member.key() + " must be a string");
      const auto& value = member.value().get_ref<const std::string&>();
      if (!IsText(member.key()) || !IsText(value)) return Bad("userProperties must be UTF-8 without NUL");
      bytes += member.key().size() + value.size();
      properties.emplace_back(member.key(), value);
    }
  }
  if (bytes > kMaxUserProperties) return Bad("userProperties are larger than 8 KB");
  return properties;
}

}  // namespace

Result<MessageProperties> PropertiesOf(const iot_data::PublishRequest& request) {
  MessageProperties properties;
  if (const auto& type = request.content_type) {
    if (!IsText(*type)) return Bad("contentType must be UTF-8 without NUL");
    if (type->size() > kMaxText) return Bad("contentType is longer than " + std::to_string(kMaxText) + " bytes");
    properties.content_type = type;
  }
  if (const auto& topic = request.response_topic) {
    if (Status valid = policy::ValidateTopic(*topic); !valid.ok()) return Bad("responseTopic: " + valid.error().message());
    properties.response_topic = topic;
  }
  if (request.correlation_data) {
    FW_ASSIGN(properties.correlation_data, CorrelationData(*request.correlation_data));
  }
  if (request.payload_format_indicator) {
    properties.utf8 = *request.payload_format_indicator == iot_data::PayloadFormatIndicator::kUtf8Data;
  }
  if (const auto& expiry = request.message_expiry) {
    if (*expiry < 1 || *expiry > kMaxExpiry) return Bad("messageExpiry must be 1 to 604800 seconds");
    properties.expiry_seconds = static_cast<std::uint32_t>(*expiry);
  }
  if (request.user_properties) {
    FW_ASSIGN(properties.user, UserProperties(*request.user_properties));
  }
  return properties;
}

}  // namespace fleetward::api
