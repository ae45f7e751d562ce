// POST /fleetward/v1/import: rows of `fleetward import` as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "fleetward/base/result.h"
#include "fleetward/registry/import.h"

namespace fleetward::app {

inline constexpr std::size_t kMaxImportRows = 250;  // of one call: it is one transaction

/// {"thingName", "thingTypeName"?, "billingGroupName"?, "attributes"?: {}, "thingGroupNames"?: [], "certificatePem"?, "csr"?,
/// "certificateStatus"?, "policyNames"?: []}, each member with the API's constraints. Errors: kInvalidArgument.
Result<registry::ImportRow> ImportRowFromJson(const nlohmann::json& json);

}  // namespace fleetward::app
