// Opaque page tokens: a position under a MAC (threats.md u). Private; handlers use CallContext.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::api {

class PageTokens {
 public:
  /// `key` is secret and stays the same over restarts, so that a listing survives one.
  explicit PageTokens(std::string key) : key_(std::move(key)) {}

  /// `owner` names operation, access key and binding; it is covered by the MAC, not contained.
  std::string Make(std::string_view owner, std::string_view position) const;
  /// Error: kInvalidArgument.
  Result<std::string> Read(std::string_view owner, std::string_view token) const;

 private:
  std::string Mac(std::string_view owner, std::string_view position) const;
  std::string key_;
};

}  // namespace fleetward::api
