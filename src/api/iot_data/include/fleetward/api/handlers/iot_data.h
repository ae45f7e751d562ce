// Handlers of the data plane: messages published through the API.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "fleetward/api/core/router.h"
#include "fleetward/base/result.h"

namespace fleetward::api {

/// Hands a message to the broker. Errors: kUnavailable.
using BrokerPublish = std::function<Status(const std::string& topic, std::string_view payload, int qos, bool retain)>;

void RegisterIotDataHandlers(Router& router, BrokerPublish publish);

}  // namespace fleetward::api
