// DescribeEndpoint (core.md §5): every data endpoint is this installation's own address.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::registry {

struct EndpointAddresses {
  std::string mqtt_host;  // a name in the server certificate, as in endpoint.json
  std::string api_host;   // host:port of the API, for iot:CredentialProvider and iot:Jobs
};

/// The host for `type`; empty means iot:Data. Errors: kInvalidArgument (unknown type).
Result<std::string> DescribeEndpoint(const EndpointAddresses& addresses, std::string_view type);

}  // namespace fleetward::registry
