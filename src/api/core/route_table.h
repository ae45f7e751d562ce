// Matches methods and raw paths against the model's URI templates. Private.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/api/codec/message.h"
#include "fleetward/api/codec/operation.h"
#include "fleetward/base/result.h"

namespace fleetward::api {

struct RouteMatch {
  const OperationInfo* operation = nullptr;  // null: no such operation
  std::vector<NameValue> labels;
};

/// Built once; Match is thread-safe.
class RouteTable {
 public:
  /// Takes REST operations; others are ignored.
  void Add(const OperationInfo& operation);

  /// `path` is raw. Literal segments win over labels. Empty segments do not count (D26); dot segments match nothing.
  /// Error: kInvalidArgument when a label is not well percent-encoded.
  Result<RouteMatch> Match(std::string_view method, std::string_view path) const;

 private:
  struct Segment {
    std::string text;     // literal, or the label's name
    bool label = false;
    bool greedy = false;  // "{topic+}": all that follows, slashes included
  };
  struct Route {
    const OperationInfo* operation;
    std::vector<Segment> segments;
  };
  static bool Fits(const Route& route, const std::vector<std::string_view>& parts);
  static bool MoreLiteral(const Route& a, const Route& b);
  std::map<std::string, std::vector<Route>, std::less<>> by_start_;  // "GET things"
};

/// Members of a query string or a form body, decoded, "+" as blank. Errors: kInvalidArgument (bad encoding, more than
/// 10,000 members).
Result<std::vector<NameValue>> DecodeForm(std::string_view text);

}  // namespace fleetward::api
