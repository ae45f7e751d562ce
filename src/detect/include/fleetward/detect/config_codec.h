// Configuration as bytes, for records in the event log and for checkpoints. Layout: docs/detect.md, "Stored state".
// Errors of all decoders: kCorrupt.
#pragma once

#include <string>
#include <string_view>

#include "fleetward/base/result.h"
#include "fleetward/detect/config.h"

namespace fleetward::detect {

/// Each appends to `out` what the decoder of the same type takes back whole.
void EncodeConfig(const ProfileConfig& config, std::string& out);
void EncodeConfig(const CustomMetricConfig& config, std::string& out);
void EncodeConfig(const ThingConfig& config, std::string& out);

Result<ProfileConfig> DecodeProfileConfig(std::string_view bytes);
Result<CustomMetricConfig> DecodeCustomMetricConfig(std::string_view bytes);
Result<ThingConfig> DecodeThingConfig(std::string_view bytes);

}  // namespace fleetward::detect
