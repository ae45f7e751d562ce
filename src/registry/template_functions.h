// Values of a provisioning template: literals, parameters and the functions over them. Private.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::registry {

/// Resolves values of one template. Depth and size of what it makes are bounded, whatever the template says.
class TemplateValues {
 public:
  using Json = nlohmann::json;

  /// `parameters` are the values given with the call. `document` is the template; both outlive this.
  TemplateValues(const Json& document, const std::map<std::string, std::string>& parameters)
      : document_(document), parameters_(parameters) {}

  /// A text; numbers and booleans as they are spelled. `where` goes in front of errors. Errors: kInvalidArgument.
  Result<std::string> Text(const Json& value, const std::string& where, int depth = 0) const;
  /// A list of texts.
  Result<std::vector<std::string>> List(const Json& value, const std::string& where, int depth = 0) const;

 private:
  Result<std::string> Parameter(const std::string& name, const std::string& where) const;
  Result<std::string> Call(const std::string& function, const Json& argument, const std::string& where, int depth) const;
  Result<std::string> Substitute(const Json& argument, const std::string& where, int depth) const;

  const Json& document_;
  const std::map<std::string, std::string>& parameters_;
};

}  // namespace fleetward::registry
