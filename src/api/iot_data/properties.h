// The MQTT 5 members of Publish. Private.
#pragma once

#include "fleetward/api/handlers/iot_data.h"
#include "fleetward/api/iot_data/messages.h"

namespace fleetward::api {

/// Error: kInvalidArgument, which names the member.
Result<MessageProperties> PropertiesOf(const iot_data::PublishRequest& request);

}  // namespace fleetward::api
