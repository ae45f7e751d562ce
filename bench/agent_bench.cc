// One collection of the agent, encoding included, beside the least that Linux asks for it; driven by bench/agent.py.
// usage: agent_bench MODE ITERATIONS | --smoke
//   agent   the agent's sampler and JSON encoder with the built-in metrics
//   floor   a bare sock_diag walk, one read of /proc/net/dev and a snprintf of totals: no checks, no buffers to keep
//   proc    the agent with its /proc/net collector
//   custom:KIND   a custom metric alone: children, cpu, memory, disk, load, users, processes, command
// Prints: MODE cpu_us_per_collection listening_tcp listening_udp established bytes_of_report
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "agent_options.h"
#include "fleetward/report/encode.h"
#include "sampler.h"

namespace {

double CpuMicroseconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

struct Counts {
  std::size_t tcp = 0, udp = 0, established = 0, bytes = 0;
};

// ---- the floor ----

struct Row {
  std::uint8_t state;
  std::uint16_t local, remote;
  std::uint8_t address[16];
};
char g_buffer[1 << 18];

void Walk(int fd, const void* request, std::size_t size, std::vector<Row>& rows) {
  if (send(fd, request, size, 0) < 0) exit(3);
  for (;;) {
    ssize_t got = recv(fd, g_buffer, sizeof g_buffer, 0);
    if (got <= 0) exit(3);
    for (auto* h = reinterpret_cast<nlmsghdr*>(g_buffer); NLMSG_OK(h, got); h = NLMSG_NEXT(h, got)) {
      if (h->nlmsg_type == NLMSG_DONE) return;
      if (h->nlmsg_type == NLMSG_ERROR) exit(3);
      auto* m = static_cast<inet_diag_msg*>(NLMSG_DATA(h));
      Row row{m->idiag_state, ntohs(m->id.idiag_sport), ntohs(m->id.idiag_dport), {}};
      memcpy(row.address, m->id.idiag_dst, 16);
      rows.push_back(row);
    }
  }
}

class Floor {
 public:
  Floor()
      : fd_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)), dev_(open("/proc/net/dev", O_RDONLY)) {}

  Counts Once() {
    tcp_.clear();
    udp_.clear();
    struct {
      nlmsghdr h;
      inet_diag_req r;
    } both{};
    both.h = {sizeof both, TCPDIAG_GETSOCK, NLM_F_REQUEST | NLM_F_DUMP, 0, 0};
    both.r.idiag_family = AF_INET;
    both.r.idiag_states = 1u << 10 | 1u << 1;
    Walk(fd_, &both, sizeof both, tcp_);
    for (std::uint8_t family : {AF_INET, AF_INET6}) {
      struct {
        nlmsghdr h;
        inet_diag_req_v2 r;
      } one{};
      one.h = {sizeof one, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0};
      one.r.sdiag_family = family;
      one.r.sdiag_protocol = IPPROTO_UDP;
      one.r.idiag_states = 1u << 7;
      Walk(fd_, &one, sizeof one, udp_);
    }
    ssize_t got = pread(dev_, g_buffer, sizeof g_buffer - 1, 0);
    if (got <= 0) exit(3);
    g_buffer[got] = 0;
    unsigned long long sums[4] = {};
    for (char* p = g_buffer; (p = strchr(p, ':')) != nullptr;) {
      ++p;
      unsigned long long v[10];
      for (auto& one : v) one = strtoull(p, &p, 10);
      sums[0] += v[0], sums[1] += v[1], sums[2] += v[8], sums[3] += v[9];
    }
    Counts counts;
    for (const Row& row : tcp_) ++(row.state == 10 ? counts.tcp : counts.established);
    counts.udp = udp_.size();
    char text[256];
    counts.bytes = static_cast<std::size_t>(snprintf(text, sizeof text, "%zu %zu %zu %llu %llu %llu %llu", counts.tcp,
                                                     counts.udp, counts.established, sums[0], sums[1], sums[2], sums[3]));
    return counts;
  }

 private:
  int fd_, dev_;
  std::vector<Row> tcp_, udp_;
};

// ---- the agent ----

namespace agent = fleetward::agent;
namespace report = fleetward::report;

class Collection {
 public:
  explicit Collection(const agent::AgentOptions& options)
      : sampler_(options, Collector(options), agent::MakeCustomMetrics(options)) {}
  Counts Once() {
    report_.report_id = ++id_;
    sampler_.Take(report_);
    report::EncodeReport(report_, report::Format::kJson, report::Names::kLong, text_);
    return {static_cast<std::size_t>(report_.tcp.Count().value_or(0)),
            static_cast<std::size_t>(report_.udp.Count().value_or(0)),
            static_cast<std::size_t>(report_.connections.Count().value_or(0)), text_.size()};
  }

 private:
  static std::unique_ptr<agent::Collector> Collector(const agent::AgentOptions& options) {
    auto collector = agent::MakeCollector(options);
    if (!collector.ok()) exit(3);
    return std::move(*collector);
  }
  agent::Sampler sampler_;
  report::MetricReport report_;
  std::string text_;
  std::uint64_t id_ = 0;
};

void Custom(const std::string& kind, agent::AgentOptions& options) {
  agent::CustomMetricOptions& metric = options.custom_metrics.emplace_back();
  metric.name = "m";
  if (kind == "children") metric.child_processes_of = "agent_bench";
  if (kind == "cpu") metric.cpu_usage = true;
  if (kind == "memory") metric.memory = "used_percent";
  if (kind == "disk") metric.disk_usage = "/";
  if (kind == "load") metric.load = "1m";
  if (kind == "users") metric.logged_in_users = "count";
  if (kind == "processes") metric.running_processes = true;
  if (kind == "command") metric.command = {"/bin/echo", "1"};
  options.collector = "replay";  // so that the custom metric is nearly all there is
  options.replay_file = "/dev/stdin";
}

template <class Subject>
void Measure(const char* mode, int iterations, Subject& subject) {
  Counts counts = subject.Once();  // buffers grow, files open
  std::vector<double> costs;
  for (int i = 0; i < iterations; ++i) {
    double begin = CpuMicroseconds();
    counts = subject.Once();
    costs.push_back(CpuMicroseconds() - begin);
  }
  std::nth_element(costs.begin(), costs.begin() + iterations / 2, costs.end());
  printf("%s %.2f %zu %zu %zu %zu\n", mode, costs[static_cast<std::size_t>(iterations) / 2], counts.tcp, counts.udp,
         counts.established, counts.bytes);
}

void Run(const std::string& mode, int iterations) {
  if (mode == "floor") {
    Floor floor;
    return Measure(mode.c_str(), iterations, floor);
  }
  agent::AgentOptions options;
  if (mode == "proc") options.collector = "procfs";
  if (mode.starts_with("custom:")) Custom(mode.substr(7), options);
  Collection collection(options);
  Measure(mode.c_str(), iterations, collection);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--smoke") {
    for (const char* mode : {"floor", "agent", "proc"}) Run(mode, 3);
    return 0;
  }
  if (argc != 3) return 2;
  Run(argv[1], std::max(1, atoi(argv[2])));
}
