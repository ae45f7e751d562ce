// A custom metric of the configuration: one measured value a report.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::agent {

class ProcessTable;
class CommandBatch;

/// What the metrics of one report share, so that /proc is walked once and commands run side by side.
struct Surroundings {
  ProcessTable& processes;
  CommandBatch& commands;
};

/// Measures and appends to a report. A value that cannot be had is left out, never guessed; the error says why and is
/// logged once until it changes.
class CustomMetric {
 public:
  explicit CustomMetric(std::string name) : name_(std::move(name)) {}
  virtual ~CustomMetric() = default;
  const std::string& name() const { return name_; }

  /// Called for all metrics before the first Measure of a report: starts what takes time.
  virtual void Prepare(Surroundings&) {}
  virtual Status Measure(Surroundings& surroundings, report::CustomMetrics& out) = 0;

 protected:
  /// Appends a number metric.
  Status Number(double value, report::CustomMetrics& out) const {
    out.Begin(name_, model::CustomMetricType::kNumber);
    out.AddNumber(value);
    return {};
  }
  /// Appends a string-list metric: distinct, sorted, at most report::kMaxListValues values made valid UTF-8.
  Status Strings(std::vector<std::string> values, report::CustomMetrics& out) const;

 private:
  std::string name_;
};

using CustomMetricList = std::vector<std::unique_ptr<CustomMetric>>;

}  // namespace fleetward::agent
