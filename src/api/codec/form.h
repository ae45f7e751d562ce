// Query protocol: the form's flat names become a tree.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "fleetward/api/codec/message.h"
#include "fleetward/base/result.h"

namespace fleetward::api::codec {

/// "Tags.member.1.Key=a" gives {"Tags": [{"Key": "a"}]}; "Attributes.entry.1.key=k" and ".value=v" give
/// {"Attributes": {"k": "v"}}. Scalars stay text. Errors: kInvalidArgument for a name that is both a value and a
/// structure, that is nested over 16 deep, or given twice.
Result<nlohmann::json> FormTree(const std::vector<NameValue>& form);

}  // namespace fleetward::api::codec
