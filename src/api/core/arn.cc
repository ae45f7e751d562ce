#include "fleetward/api/core/arn.h"

namespace fleetward::api {

std::optional<ArnParts> ParseArn(std::string_view arn) {
  constexpr std::string_view kStart = "arn:";
  if (!arn.starts_with(kStart)) return std::nullopt;
  arn.remove_prefix(kStart.size());
  std::string_view parts[4];  // partition, service, region, account
  for (std::string_view& part : parts) {
    std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = arn.substr(0, colon);
    arn.remove_prefix(colon + 1);
  }
  if (parts[0].empty() || parts[1].empty() || arn.empty()) return std::nullopt;
  return ArnParts{std::string(parts[1]), std::string(parts[2]), std::string(parts[3]), std::string(arn)};
}

std::string Arns::Iot(std::string_view kind, std::string_view name) const {
  std::string out = "arn:aws:iot:" + region_ + ":" + account_ + ":";
  out += kind;
  out += '/';
  out += name;
  return out;
}

std::string Arns::Topic(std::string_view name) const {
  return "arn:aws:sns:" + region_ + ":" + account_ + ":" + std::string(name);
}

std::string Arns::Subscription(std::string_view topic_arn, std::string_view id) const {
  return std::string(topic_arn) + ":" + std::string(id);
}

std::optional<std::string> Arns::IotName(std::string_view arn, std::string_view kind) const {
  std::string prefix = Iot(kind, "");
  if (!arn.starts_with(prefix) || arn.size() == prefix.size()) return std::nullopt;
  return std::string(arn.substr(prefix.size()));
}

std::optional<std::string> Arns::TopicName(std::string_view arn) const {
  std::string prefix = Topic("");
  if (!arn.starts_with(prefix) || arn.size() == prefix.size()) return std::nullopt;
  std::string_view name = arn.substr(prefix.size());
  if (name.find(':') != std::string_view::npos) return std::nullopt;
  return std::string(name);
}

}  // namespace fleetward::api
