// Which messages a subscription wants (FilterPolicy; source: the service's developer guide, "Message filtering"). Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/notify/message.h"

namespace fleetward::notify {

enum class FilterScope : std::uint8_t { kMessageAttributes, kMessageBody };

/// A compiled policy, immutable; copies share it.
class FilterPolicy {
 public:
  /// At most 5 keys (leaves), 150 combinations (values of each key multiplied; nested keys times their depth), 256 KB.
  /// Nested keys are for kMessageBody only. Errors: kInvalidArgument with the key and the reason.
  static Result<FilterPolicy> Parse(std::string_view text, FilterScope scope);

  /// All keys must match, each by any of its values. Binary attributes are as good as absent. A policy for bodies wants
  /// a JSON object: any other body is not wanted. Cost: in proportion to policy plus message, whatever they hold.
  bool Wants(const Message& message, std::string_view body) const;

  struct Node;

 private:
  explicit FilterPolicy(std::shared_ptr<const Node> root, FilterScope scope) : root_(std::move(root)), scope_(scope) {}
  std::shared_ptr<const Node> root_;
  FilterScope scope_;
};

}  // namespace fleetward::notify
