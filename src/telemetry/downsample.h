// From samples of full resolution to one sample for each stretch of time.
#pragma once

#include <span>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/telemetry/sample.h"

namespace fleetward::telemetry {

/// `samples` in time order, of one thing and source. Gives one sample for each stretch of `length` (aligned to multiples
/// of it since the epoch) that holds any, at the stretch's beginning, marked kFlagDownsampled: counts and numbers are
/// means (counts rounded to the nearest whole), lists the latest ones, flags all that occurred. Report ids, reporters and
/// parts that are no API metric are dropped.
std::vector<Sample> Downsample(std::span<const Sample> samples, Millis length);

}  // namespace fleetward::telemetry
