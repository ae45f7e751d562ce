#include "fleetward/registry/arns.h"

namespace fleetward::registry {

std::optional<ArnResource> Arns::Parse(std::string_view arn) const {
  std::string prefix = "arn:aws:iot:" + region_ + ":" + account_.value() + ":";
  if (!arn.starts_with(prefix)) return std::nullopt;
  arn.remove_prefix(prefix.size());
  std::size_t slash = arn.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == arn.size()) return std::nullopt;
  return ArnResource{std::string(arn.substr(0, slash)), std::string(arn.substr(slash + 1))};
}

}  // namespace fleetward::registry
