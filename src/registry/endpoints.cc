#include "fleetward/registry/endpoints.h"

namespace fleetward::registry {

Result<std::string> DescribeEndpoint(const EndpointAddresses& addresses, std::string_view type) {
  if (type.empty() || type == "iot:Data" || type == "iot:Data-ATS") return addresses.mqtt_host;
  if (type == "iot:CredentialProvider" || type == "iot:Jobs") return addresses.api_host;
  return Error(Code::kInvalidArgument, "endpointType must be iot:Data, iot:Data-ATS, iot:CredentialProvider or "
                                       "iot:Jobs, not " + std::string(type));
}

}  // namespace fleetward::registry
