// What a handler knows about its call besides the request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleetward/access/principal.h"
#include "fleetward/api/codec/operation.h"
#include "fleetward/base/result.h"
#include "fleetward/base/time.h"
#include "fleetward/model/arns.h"

namespace fleetward::api {

class PageTokens;

struct CallContext {
  /// Nothing for the two calls that work unsigned (SNS ConfirmSubscription and Unsubscribe by GET).
  std::optional<access::Principal> principal;
  const OperationInfo* operation = nullptr;
  model::Arns arns;             // knows account and region
  std::string request_id;       // UUID, also in the answer's x-amzn-RequestId
  std::string remote_address;
  Timestamp now{};
  const PageTokens* page_tokens = nullptr;

  const std::string& account() const { return arns.account().value(); }
  const std::string& region() const { return arns.region(); }

  /// An opaque token for `position` (any bytes: where the next page starts). It can be redeemed by the same operation
  /// and access key only, with the same `binding` (filters of the listing, if a position makes sense under them alone).
  std::string MakePageToken(std::string_view position, std::string_view binding = {}) const;
  /// Position of a token, or empty when there is none (first page). Errors: kInvalidArgument for a token that is
  /// damaged, forged, or another operation's or key's (threats.md u).
  Result<std::string> ReadPageToken(const std::optional<std::string>& token, std::string_view binding = {}) const;
};

}  // namespace fleetward::api
