#include "fleetward/registry/names.h"

#include <algorithm>
#include <string>

namespace fleetward::registry {
namespace {

bool AllOf(std::string_view text, std::string_view further) {
  return std::all_of(text.begin(), text.end(), [further](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           further.find(c) != std::string_view::npos;
  });
}

bool IsName(std::string_view name, std::string_view further) {
  return !name.empty() && name.size() <= 128 && AllOf(name, further);
}

constexpr std::string_view kAttribute = "_.,@/:#-";

}  // namespace

bool IsThingName(std::string_view name) { return IsName(name, ":_-"); }
bool IsPolicyName(std::string_view name) { return IsName(name, "_+=,.@-"); }
bool IsAttributeName(std::string_view name) { return IsName(name, kAttribute); }
bool IsAttributeValue(std::string_view value) { return value.size() <= 800 && AllOf(value, kAttribute); }

Status CheckRoleArn(std::string_view arn) {
  constexpr std::string_view kHead = "arn:aws:iam::", kRole = ":role/";
  bool good = arn.starts_with(kHead) && arn.size() > kHead.size() + 12 + kRole.size() &&
              arn.substr(kHead.size(), 12).find_first_not_of("0123456789") == std::string_view::npos &&
              arn.substr(kHead.size() + 12, kRole.size()) == kRole;
  if (good) return {};
  return Error(Code::kInvalidArgument,
               "roleArn must look like arn:aws:iam::123456789012:role/NAME, not " + std::string(arn));
}

}  // namespace fleetward::registry
