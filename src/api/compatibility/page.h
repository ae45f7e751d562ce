// docs/wire-compatibility.md, made from the routing table and hand-kept remarks.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fleetward/api/codec/operation.h"
#include "fleetward/base/result.h"

namespace fleetward::api {

/// A hand-kept line about one operation.
struct WireRemark {
  bool differs = false;  // false: it works as the original does, and the text says what is worth knowing
  std::string text;
};

/// remarks.md in its parts.
struct WireRemarks {
  std::string top;                           // the page's beginning, taken over as it is
  std::map<std::string, WireRemark> lines;   // by "iot:CreateThing"
};

/// Everything before the line "<!-- operations -->" is the top; then one line each, "iot:CreateThing: differs: text"
/// or "iot:CreateThing: note: text"; empty lines are skipped. Errors: kInvalidArgument (naming the line), also for an
/// operation that is named twice or that no service model has.
Result<WireRemarks> ParseWireRemarks(std::string_view text);

/// Whether an operation has a handler.
using HandledPredicate = std::function<bool(const OperationInfo&)>;

/// The whole page. Errors: kInvalidArgument for a remark on an operation that has no handler.
Result<std::string> WirePage(const WireRemarks& remarks, const HandledPredicate& handled);

}  // namespace fleetward::api
