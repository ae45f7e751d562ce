// Custom metrics: declared by users, measured by device agents (detect.md §6).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct NewCustomMetric {
  model::CustomMetricName name{};
  model::CustomMetricType type = model::CustomMetricType::kNumber;
  std::optional<std::string> display_name{};
  std::string request_token{};
  Attributes tags{};
};

class CustomMetrics {
 public:
  explicit CustomMetrics(const Context& context) : context_(context) {}

  /// The same content under the same token again gives the existing metric. Errors: kAlreadyExists, kLimitExceeded,
  /// kInvalidArgument (the name begins with "aws:").
  Result<CustomMetric> Create(std::string_view actor, const NewCustomMetric& request);
  Result<CustomMetric> Describe(const model::CustomMetricName& name) const;
  /// Names, in order.
  Result<Page<model::CustomMetricName>> List(const PageRequest& page) const;
  /// Errors: kNotFound.
  Result<CustomMetric> Update(std::string_view actor, const model::CustomMetricName& name,
                              const std::string& display_name);
  /// An unknown metric is no error. Errors: kInvalidArgument (a security profile uses it).
  Status Delete(std::string_view actor, const model::CustomMetricName& name);

  /// Every metric, by name.
  Result<std::vector<CustomMetric>> All() const;
  std::string Arn(const model::CustomMetricName& name) const { return context_.arns.CustomMetric(name.value()); }

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
