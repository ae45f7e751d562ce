#include "fleetward/model/arns.h"

namespace fleetward::model {

std::string Arns::Of(std::string_view type, std::string_view id) const {
  std::string arn = "arn:aws:iot:" + region_ + ':' + account_.value() + ':';
  arn += type;
  arn += '/';
  arn += id;
  return arn;
}

std::string Arns::Topic(std::string_view name) const {
  return "arn:aws:sns:" + region_ + ':' + account_.value() + ':' + std::string(name);
}

std::optional<ArnResource> Arns::Parse(std::string_view arn) const {
  std::string prefix = "arn:aws:iot:" + region_ + ':' + account_.value() + ':';
  if (!arn.starts_with(prefix)) return std::nullopt;
  arn.remove_prefix(prefix.size());
  std::size_t slash = arn.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == arn.size()) return std::nullopt;
  return ArnResource{std::string(arn.substr(0, slash)), std::string(arn.substr(slash + 1))};
}

std::optional<std::string> Arns::IdOf(std::string_view arn, std::string_view type) const {
  std::optional<ArnResource> parts = Parse(arn);
  if (!parts || parts->type != type) return std::nullopt;
  return std::move(parts->id);
}

}  // namespace fleetward::model
