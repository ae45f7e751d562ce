// CPU, memory, disk, load, users and processes of this machine as custom metrics.
#pragma once

#include <optional>
#include <string>

#include "collectors/custom/custom_metric.h"
#include "collectors/procfs/text_file.h"

namespace fleetward::agent {

/// Number of processes below every process called `process_name`, at any depth; 0 when there is none.
class ChildProcessesMetric : public CustomMetric {
 public:
  ChildProcessesMetric(std::string name, std::string process_name)
      : CustomMetric(std::move(name)), process_name_(std::move(process_name)) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  std::string process_name_;
};

/// Percent of all CPU time since the previous sample that was not idle (idle and iowait are idle, as in psutil).
/// The first sample has no value.
class CpuUsageMetric : public CustomMetric {
 public:
  CpuUsageMetric(std::string name, const std::string& proc_folder)
      : CustomMetric(std::move(name)), stat_(proc_folder + "/stat", true) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  TextFile stat_;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> previous_;  // busy, total
};

enum class MemoryFigure { kUsedPercent, kUsedBytes, kAvailableBytes };

/// Used is MemTotal - MemAvailable.
class MemoryMetric : public CustomMetric {
 public:
  MemoryMetric(std::string name, const std::string& proc_folder, MemoryFigure figure)
      : CustomMetric(std::move(name)), meminfo_(proc_folder + "/meminfo", true), figure_(figure) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  TextFile meminfo_;
  MemoryFigure figure_;
};

/// Percent of a file system in use, of what an ordinary user could use, as df prints it.
class DiskMetric : public CustomMetric {
 public:
  DiskMetric(std::string name, std::string path) : CustomMetric(std::move(name)), path_(std::move(path)) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  std::string path_;
};

/// Load average over 1, 5 or 15 minutes.
class LoadMetric : public CustomMetric {
 public:
  LoadMetric(std::string name, const std::string& proc_folder, int column)
      : CustomMetric(std::move(name)), loadavg_(proc_folder + "/loadavg", true), column_(column) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  TextFile loadavg_;
  int column_;  // 0, 1, 2
};

/// Sessions in utmp (utmp(5)): their number, or the distinct user names.
class UsersMetric : public CustomMetric {
 public:
  UsersMetric(std::string name, const std::string& utmp_path, bool names)
      : CustomMetric(std::move(name)), utmp_(utmp_path), names_(names) {}
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;

 private:
  TextFile utmp_;
  bool names_;
};

/// Distinct names of running processes, without kernel threads; the first 1,000 in order.
class ProcessNamesMetric : public CustomMetric {
 public:
  using CustomMetric::CustomMetric;
  Status Measure(Surroundings& surroundings, report::CustomMetrics& out) override;
};

}  // namespace fleetward::agent
