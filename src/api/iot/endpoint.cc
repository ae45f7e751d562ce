#include "families.h"
#include "fleetward/api/iot/account.h"

namespace fleetward::api {

void RegisterEndpoint(Router& router, registry::EndpointAddresses endpoints) {
  router.Handle<iot::DescribeEndpoint>(
      [endpoints = std::move(endpoints)](const CallContext&, const iot::DescribeEndpointRequest& request)
          -> Result<iot::DescribeEndpointResponse> {
        FW_ASSIGN(std::string host, registry::DescribeEndpoint(endpoints, TextOf(request.endpoint_type)));
        return iot::DescribeEndpointResponse{std::move(host)};
      });
}

}  // namespace fleetward::api
