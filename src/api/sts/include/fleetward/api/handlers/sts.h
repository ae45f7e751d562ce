// Who a call's access key belongs to, as scripts ask first.
#pragma once

#include "fleetward/api/core/router.h"

namespace fleetward::api {

void RegisterStsHandlers(Router& router);

}  // namespace fleetward::api
