// Between the API's behaviors and metric values and the model's. What was stored comes back as it was given.
#pragma once

#include <vector>

#include "fleetward/api/iot/detect.h"
#include "fleetward/base/result.h"
#include "fleetward/model/behavior.h"

namespace fleetward::api {

/// A value that is none is kept as `value_fault`, for model::ValidateBehaviors.
model::Behavior ToModel(const iot::Behavior& behavior);
std::vector<model::Behavior> ToModel(const std::vector<iot::Behavior>& behaviors);
model::MetricToRetain ToModel(const iot::MetricToRetain& metric);

iot::Behavior ToApi(const model::Behavior& behavior);
iot::MetricToRetain ToApi(const model::MetricToRetain& metric);
/// Absent for no value.
std::optional<iot::MetricValue> ToApi(const model::MetricValue& value);
std::optional<iot::ViolationEventAdditionalInfo> ToApi(const std::optional<model::ConfidenceLevel>& confidence);

}  // namespace fleetward::api
