// Dimensions: topic filters that narrow what a behavior counts (detect.md §6).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewDimension {
  model::DimensionName name{};
  std::vector<std::string> topic_filters{};
  std::string request_token{};
  Attributes tags{};
};

class Dimensions {
 public:
  explicit Dimensions(const Context& context) : context_(context) {}

  /// The same content under the same token again gives the existing dimension. Errors: kAlreadyExists,
  /// kLimitExceeded, kInvalidArgument (a value is no topic filter).
  Result<Dimension> Create(std::string_view actor, const NewDimension& request);
  Result<Dimension> Describe(const model::DimensionName& name) const;
  Result<std::vector<Dimension>> All() const;
  /// Names, in order.
  Result<Page<model::DimensionName>> List(const PageRequest& page) const;
  /// Errors: kNotFound, kInvalidArgument.
  Result<Dimension> Update(std::string_view actor, const model::DimensionName& name,
                           const std::vector<std::string>& topic_filters);
  /// An unknown dimension is no error. Errors: kInvalidArgument (a security profile uses it).
  Status Delete(std::string_view actor, const model::DimensionName& name);

  std::string Arn(const model::DimensionName& name) const { return context_.arns.Dimension(name.value()); }

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
