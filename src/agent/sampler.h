// One collection: sockets, counters and custom metrics become a report.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent_options.h"
#include "collectors/collector.h"
#include "collectors/custom/command.h"
#include "collectors/custom/custom_metric.h"
#include "collectors/procfs/process_table.h"
#include "list_sample.h"
#include "network_delta.h"

namespace fleetward::agent {

/// The collector that the options ask for; `auto` takes netlink and falls back to /proc. Errors: kIo, kNotFound.
Result<std::unique_ptr<Collector>> MakeCollector(const AgentOptions& options);

/// The custom metrics of the options, `cpu_usage` of -cm first.
CustomMetricList MakeCustomMetrics(const AgentOptions& options);

class Sampler {
 public:
  Sampler(const AgentOptions& options, std::unique_ptr<Collector> collector, CustomMetricList metrics);

  /// Replaces `report` but for its id. What could not be measured is left out and logged when the reason changes.
  void Take(report::MetricReport& report);
  /// The service did not take this report: its network delta goes on top of the next one's.
  void NotTaken(const report::MetricReport& report) { delta_.CarryOver(report.network); }

 private:
  void TakeSockets(report::MetricReport& report);
  void TakeNetwork(report::MetricReport& report);
  void TakeCustom(report::MetricReport& report);
  void LogOnce(const std::string& what, const std::string& fault);

  std::unique_ptr<Collector> collector_;
  CustomMetricList metrics_;
  std::size_t list_size_;
  NetworkDelta delta_;
  ListSampler lists_;
  ProcessTable processes_;
  CommandBatch commands_;
  SocketTable sockets_;
  std::vector<InterfaceCounters> interfaces_;
  std::map<std::string, std::string> faults_;  // what was logged last, by subject
};

}  // namespace fleetward::agent
