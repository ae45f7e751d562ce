// An API call and its answer in protocol-neutral pieces: what the router hands to the generated parsers, and gets back.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetward::api {

using NameValue = std::pair<std::string, std::string>;

/// A call after routing. Names of labels and query members are as the model spells them; values are decoded once.
struct RequestParts {
  std::vector<NameValue> labels;   // of the URI template: {"thingName", "pump:1"}
  std::vector<NameValue> query;    // of the query string, or the form of a query-protocol call
  std::vector<NameValue> headers;  // names in any case
  std::string_view body;

  /// First header of that name (any case), or null.
  const std::string* FindHeader(std::string_view name) const;
};

/// An answer before the protocol's frame (request id, connection) is put around it.
struct ResponseParts {
  int status = 200;
  std::vector<NameValue> headers;
  std::string body;
};

/// Input or output of an operation that has none.
struct Empty {};

}  // namespace fleetward::api
