// From a report to what the telemetry store keeps: every value of it (D16).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "fleetward/detect/config.h"
#include "fleetward/report/metric_report.h"
#include "fleetward/telemetry/sample.h"
#include "thing_state.h"

namespace fleetward::ingest {

using CustomMetricTable = std::map<std::string, detect::CustomMetricConfig, std::less<>>;

/// Fills the values of `sample`; its other members are the caller's. Custom metrics that nobody declared, of another
/// type than declared, or without a value are not among them: their names come back as faults (D14).
void FillSample(const report::MetricReport& report, const CustomMetricTable& customs, telemetry::Sample& sample,
                std::vector<std::string>& faults);

/// The bucket's values: counts, largest message, addresses.
void FillSample(const OpenBucket& bucket, telemetry::Sample& sample);

/// One series of a dimension: a count is 0 when nothing was counted, of sizes and addresses there is then no value.
/// Nothing at all of a series that a full bucket does not hold.
void FillSample(const OpenBucket& bucket, telemetry::SeriesKey key, telemetry::Sample& sample);

}  // namespace fleetward::ingest
