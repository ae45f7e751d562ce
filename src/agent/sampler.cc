#include "sampler.h"

#include <utility>

#include "collectors/custom/machine_metrics.h"
#include "collectors/netlink/netlink_collector.h"
#include "collectors/procfs/procfs_collector.h"
#include "collectors/replay/replay_collector.h"
#include "fleetward/base/file.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/log.h"

namespace fleetward::agent {
namespace {

void FillPorts(std::vector<std::uint16_t>& rows, std::size_t limit, ListSampler& sampler, report::PortList& list) {
  list.total = static_cast<std::int64_t>(rows.size());
  list.listed = true;
  sampler.Ports(rows, limit);
  for (std::uint16_t port : rows) {
    if (port != 0) list.Add(port);  // a report's ports are positive
  }
  list.Finish();
}

std::unique_ptr<CustomMetric> MakeMetric(const CustomMetricOptions& options, const std::string& proc) {
  const std::string& name = options.name;
  if (!options.child_processes_of.empty()) {
    return std::make_unique<ChildProcessesMetric>(name, options.child_processes_of);
  }
  if (options.cpu_usage) return std::make_unique<CpuUsageMetric>(name, proc);
  if (options.memory == "used_bytes") return std::make_unique<MemoryMetric>(name, proc, MemoryFigure::kUsedBytes);
  if (options.memory == "available_bytes") {
    return std::make_unique<MemoryMetric>(name, proc, MemoryFigure::kAvailableBytes);
  }
  if (!options.memory.empty()) return std::make_unique<MemoryMetric>(name, proc, MemoryFigure::kUsedPercent);
  if (!options.disk_usage.empty()) return std::make_unique<DiskMetric>(name, options.disk_usage);
  if (!options.load.empty()) {
    return std::make_unique<LoadMetric>(name, proc, options.load == "1m" ? 0 : options.load == "5m" ? 1 : 2);
  }
  if (!options.logged_in_users.empty()) {
    return std::make_unique<UsersMetric>(name, "/run/utmp", options.logged_in_users == "names");
  }
  if (options.running_processes) return std::make_unique<ProcessNamesMetric>(name);
  Command command{options.command, options.user, static_cast<int>(options.timeout_seconds)};
  auto type = model::ParseCustomMetricType(options.type).value_or(model::CustomMetricType::kNumber);
  return std::make_unique<CommandMetric>(name, std::move(command), type);
}

}  // namespace

Result<std::unique_ptr<Collector>> MakeCollector(const AgentOptions& options) {
  if (options.collector == "replay") {
    FW_ASSIGN(std::string text, ReadFile(options.replay_file));
    FW_ASSIGN(std::unique_ptr<Collector> collector, ReplayCollector::Parse(text));
    return collector;
  }
  // A host's /proc inside a container: netlink and DIR/net would both show the container's own sockets (D39).
  if (!options.proc.empty()) {
    return std::unique_ptr<Collector>(std::make_unique<ProcfsCollector>(options.proc + "/1/net"));
  }
  if (options.collector != "procfs") {
    Result<std::unique_ptr<NetlinkCollector>> netlink = NetlinkCollector::Open();
    if (netlink.ok()) return std::unique_ptr<Collector>(std::move(*netlink));
    if (options.collector == "netlink") return netlink.error();
    log::Warning("agent.netlink_unavailable", {{"reason", netlink.error().message()}, {"instead", "/proc/net"}});
  }
  return std::unique_ptr<Collector>(std::make_unique<ProcfsCollector>("/proc/net"));
}

CustomMetricList MakeCustomMetrics(const AgentOptions& options) {
  CustomMetricList metrics;
  std::string proc = ProcFolder(options);
  if (options.cpu_usage) metrics.push_back(std::make_unique<CpuUsageMetric>("cpu_usage", proc));
  for (const CustomMetricOptions& one : options.custom_metrics) metrics.push_back(MakeMetric(one, proc));
  return metrics;
}

Sampler::Sampler(const AgentOptions& options, std::unique_ptr<Collector> collector, CustomMetricList metrics)
    : collector_(std::move(collector)),
      metrics_(std::move(metrics)),
      list_size_(static_cast<std::size_t>(options.list_size)),
      delta_(options.network_exclude),
      lists_(Id128::Random().low),
      processes_(ProcFolder(options)) {}

void Sampler::Take(report::MetricReport& report) {
  auto report_id = report.report_id;
  report.Clear();
  report.report_id = report_id;
  TakeSockets(report);
  TakeNetwork(report);
  TakeCustom(report);
}

void Sampler::TakeSockets(report::MetricReport& report) {
  sockets_.Clear();
  Status collected = collector_->Sockets(sockets_);
  LogOnce("sockets", collected.ok() ? std::string() : collected.error().message());
  if (!collected.ok()) return;
  FillPorts(sockets_.tcp_listening, list_size_, lists_, report.tcp);
  FillPorts(sockets_.udp_listening, list_size_, lists_, report.udp);
  lists_.Connections(sockets_.connections, list_size_);
  report.connections.listed = true;
  report.connections.total = static_cast<std::int64_t>(sockets_.established);
  report.connections.remotes.assign(sockets_.connections.begin(), sockets_.connections.end());
}

void Sampler::TakeNetwork(report::MetricReport& report) {
  Status read = collector_->Interfaces(interfaces_);
  LogOnce("counters", read.ok() ? std::string() : read.error().message());
  DeltaGap gap = read.ok() ? delta_.Advance(interfaces_, report.network) : delta_.Unreadable(report.network);
  if (gap != DeltaGap::kNone && gap != DeltaGap::kFirstSample) {
    log::Info("agent.network_stats_omitted", {{"reason", DeltaGapName(gap)}});
  }
}

void Sampler::TakeCustom(report::MetricReport& report) {
  if (metrics_.empty()) return;
  processes_.NextReport();
  Surroundings surroundings{processes_, commands_};
  for (auto& metric : metrics_) metric->Prepare(surroundings);
  for (auto& metric : metrics_) {
    Status measured = metric->Measure(surroundings, report.custom);
    LogOnce("custom metric " + metric->name(), measured.ok() ? std::string() : measured.error().message());
  }
  commands_.Clear();
}

void Sampler::LogOnce(const std::string& what, const std::string& fault) {
  auto known = faults_.find(what);
  if (fault.empty()) {
    if (known != faults_.end()) faults_.erase(known);
    return;
  }
  if (known != faults_.end() && known->second == fault) return;
  faults_[what] = fault;
  log::Warning("agent.not_measured", {{"what", what}, {"reason", fault}});
}

}  // namespace fleetward::agent
