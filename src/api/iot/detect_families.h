// Registration functions of Detect's operation families.
#pragma once

#include "behaviors.h"
#include "families.h"
#include "fleetward/api/handlers/detect.h"
#include "fleetward/api/iot/detect.h"

namespace fleetward::api {

void RegisterSecurityProfiles(Router& router, registry::SecurityProfiles& profiles);
void RegisterCustomMetrics(Router& router, registry::CustomMetrics& metrics);
void RegisterDimensions(Router& router, registry::Dimensions& dimensions);
void RegisterViolations(Router& router, const DetectServices& services);
void RegisterTraining(Router& router, const DetectServices& services);
void RegisterMetricValues(Router& router, const DetectServices& services);

}  // namespace fleetward::api
