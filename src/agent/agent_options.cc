#include "agent_options.h"

#include "fleetward/base/encoding.h"
#include "trust.h"

namespace fleetward::agent {
namespace {

using config::Bind;
using config::OptionSpec;
using config::ValueRef;
using O = AgentOptions;
using M = CustomMetricOptions;

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

constexpr OptionSpec kOptions[] = {
    {.name = "endpoint", .member = Bind<&O::endpoint>,
     .help = "Host name of the broker, without port. The server's certificate must carry it.",
     .example = "\"fleet.example.org\""},
    {.name = "port", .member = Bind<&O::port>,
     .help = "Port of the broker. On 443 the agent offers the ALPN name `x-amzn-mqtt-ca`.",
     .example = "8883", .min = 1, .max = 65535},
    {.name = "root_ca", .member = Bind<&O::root_ca>, .help = "PEM file that verifies the broker.",
     .example = "\"/etc/fleetward-agent/ca.pem\""},
    {.name = "certificate", .member = Bind<&O::certificate>, .help = "PEM file with the client certificate.",
     .example = "\"/etc/fleetward-agent/certificate.pem\""},
    {.name = "key", .member = Bind<&O::key>, .help = "PEM file with the private key; mode 0600.",
     .example = "\"/etc/fleetward-agent/private.key\""},
    {.name = "client_id", .member = Bind<&O::client_id>, .help = "MQTT client id.", .example = "\"sensor-7\""},
    {.name = "thing_name", .member = Bind<&O::thing_name>,
     .help = "The thing that reports. Empty: the client id.", .example = "\"sensor-7\""},
    {.name = "format", .member = Bind<&O::format>, .help = "How reports are encoded.", .example = "\"cbor\"",
     .choices = "json|cbor"},
    {.name = "interval_seconds", .member = Bind<&O::interval_seconds>,
     .help = "Seconds from report to report. The service may refuse reports closer than 300 s.", .example = "300",
     .min = 1, .max = 86400},
    {.name = "short_names", .member = Bind<&O::short_names>, .help = "Short field names: smaller reports.",
     .example = "true"},
    {.name = "cpu_usage", .member = Bind<&O::cpu_usage>,
     .help = "Also report the custom metric `cpu_usage` (percent since the previous report).", .example = "true"},
    {.name = "collector", .member = Bind<&O::collector>,
     .help = "Where sockets are read: the kernel's sock_diag, /proc/net, a recording, or the first of the two "
             "that works.",
     .example = "\"procfs\"", .choices = "auto|netlink|procfs|replay"},
    {.name = "proc", .member = Bind<&O::proc>,
     .help = "A host's /proc mounted in a container: sockets are then read from its `1/net`, processes from it.",
     .example = "\"/host_proc\""},
    {.name = "replay_file", .member = Bind<&O::replay_file>,
     .help = "Recorded samples for `collector = \"replay\"`.", .example = "\"/tmp/samples\""},
    {.name = "list_size", .member = Bind<&O::list_size>,
     .help = "Most entries in each list of a report; longer lists are sampled, totals stay exact.",
     .example = "200", .min = 0, .max = 2000},
    {.name = "network.exclude", .member = Bind<&O::network_exclude>,
     .help = "Interfaces left out of the byte and packet counters; `*` at the end matches any rest.",
     .example = "[\"lo\", \"veth*\"]"},
    {.name = "spool.directory", .member = Bind<&O::spool_directory>,
     .help = "Folder for reports that could not be delivered. `auto` is the service's state folder, "
             "/var/lib/fleetward-agent for root, else ~/.local/state/fleetward-agent; empty keeps none.",
     .example = "\"/var/lib/fleetward-agent\""},
    {.name = "spool.max_bytes", .member = Bind<&O::spool_max_bytes>,
     .help = "Bound of the spool; the oldest report makes room for a new one.", .example = "1048576",
     .min = 0, .max = 1 << 30},
    {.name = "answer_timeout_seconds", .member = Bind<&O::answer_timeout_seconds>,
     .help = "A report without an answer for this long goes to the spool.", .example = "30", .min = 1, .max = 3600},
    {.name = "keep_alive_seconds", .member = Bind<&O::keep_alive_seconds>, .help = "MQTT keep-alive.",
     .example = "60", .min = 5, .max = 1200},
    {.name = "reconnect.max_seconds", .member = Bind<&O::reconnect_max_seconds>,
     .help = "Longest wait between two attempts to connect; waits double from 1 s, with jitter.", .example = "300",
     .min = 1, .max = 3600},
    {.name = "log.level", .member = Bind<&O::log_level>, .help = "The least severe log lines that are written.",
     .example = "\"info\"", .choices = "debug|info|warning|error"},
};

constexpr OptionSpec kMetricOptions[] = {
    {.name = "name", .member = Bind<&M::name>, .help = "Name of the custom metric, as created in the service.",
     .example = "\"num_child_procs_myapp\""},
    {.name = "child_processes_of", .member = Bind<&M::child_processes_of>,
     .help = "number: processes below the processes of this name, at any depth.", .example = "\"myapp\""},
    {.name = "cpu_usage", .member = Bind<&M::cpu_usage>, .help = "number: percent since the previous report.",
     .example = "true"},
    {.name = "memory", .member = Bind<&M::memory>, .help = "number: memory in use or available.",
     .example = "\"used_percent\"", .choices = "|used_percent|used_bytes|available_bytes"},
    {.name = "disk_usage", .member = Bind<&M::disk_usage>,
     .help = "number: percent in use of the file system that holds this path.", .example = "\"/\""},
    {.name = "load", .member = Bind<&M::load>, .help = "number: load average.", .example = "\"5m\"",
     .choices = "|1m|5m|15m"},
    {.name = "logged_in_users", .member = Bind<&M::logged_in_users>,
     .help = "number of sessions, or string-list of user names.", .example = "\"names\"", .choices = "|count|names"},
    {.name = "running_processes", .member = Bind<&M::running_processes>,
     .help = "string-list: names of running processes.", .example = "true"},
    {.name = "command", .member = Bind<&M::command>,
     .help = "Program (absolute path) and arguments; no shell. Its output is the value.",
     .example = "[\"/usr/local/bin/battery\", \"--percent\"]"},
    {.name = "type", .member = Bind<&M::type>, .help = "What a command prints: one number, or one value a line.",
     .example = "\"string-list\"", .choices = "number|number-list|string-list|ip-address-list"},
    {.name = "user", .member = Bind<&M::user>,
     .help = "Whom a command runs as. Empty: `nobody` when the agent is root, else the agent's user.",
     .example = "\"nobody\""},
    {.name = "timeout_seconds", .member = Bind<&M::timeout_seconds>,
     .help = "A command that takes longer is killed with all it started.", .example = "10", .min = 1, .max = 30},
};

Status CheckMetric(const void* element) {
  const M& metric = *static_cast<const M*>(element);
  constexpr std::size_t kMaxName = 128;
  if (metric.name.empty() || metric.name.size() > kMaxName ||
      metric.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-") !=
          std::string::npos) {
    return Invalid("name must be 1 to 128 letters, digits, ':', '_' or '-'");
  }
  int kinds = !metric.child_processes_of.empty() + metric.cpu_usage + !metric.memory.empty() +
              !metric.disk_usage.empty() + !metric.load.empty() + !metric.logged_in_users.empty() +
              metric.running_processes + !metric.command.empty();
  if (kinds != 1) return Invalid("\"" + metric.name + "\" needs exactly one key that says what is measured");
  if (!metric.command.empty() && !metric.command[0].starts_with('/')) {
    return Invalid("command must start with an absolute path");
  }
  return {};
}

void* AppendMetric(void* options) { return &static_cast<O*>(options)->custom_metrics.emplace_back(); }

constexpr config::ListSpec kLists[] = {
    {.name = "custom_metric",
     .help = "A custom metric: its name, and exactly one of the keys that say what is measured.",
     .options = kMetricOptions, .append = AppendMetric, .finish = CheckMetric},
};

constexpr config::OptionTable kTable{.title = "Agent", .options = kOptions, .lists = kLists};

Status CheckNames(const AgentOptions& options) {
  const std::string& thing = options.thing();
  if (thing.empty()) return Invalid("a client id (-id) or thing name (-t) is needed");
  if (thing.size() > 128 || !IsUtf8(thing) || thing.find_first_of("/+#") != std::string::npos) {
    return Invalid("a thing name has at most 128 bytes of UTF-8 without '/', '+' and '#'");
  }
  for (unsigned char c : thing) {
    if (c < ' ' || c == 0x7f) return Invalid("a thing name holds no control characters");
  }
  return {};
}

}  // namespace

const config::OptionTable& AgentTable() { return kTable; }

Status CheckOptions(const AgentOptions& options) {
  if (options.custom_metrics.size() + options.cpu_usage > 100) return Invalid("at most 100 custom metrics");
  for (const CustomMetricOptions& metric : options.custom_metrics) {
    if (metric.command.empty() || options.config_file.empty()) continue;
    Status trusted = CheckTrusted(options.config_file);
    if (!trusted.ok()) return Error(trusted.error()).Prefixed("a configuration with commands must be safe");
    break;
  }
  if (options.collector == "replay" && options.replay_file.empty()) return Invalid("replay needs replay_file");
  if (options.collector == "netlink" && !options.proc.empty()) {
    return Invalid("proc reads files: it cannot be used with collector = \"netlink\"");
  }
  if (options.dry_run) return {};
  FW_TRY(CheckNames(options));
  if (options.client_id.empty()) return Invalid("a client id (-id) is needed");
  if (options.endpoint.empty()) return Invalid("an endpoint (-e) is needed");
  if (options.root_ca.empty()) return Invalid("a root CA (-r) is needed");
  if (options.certificate.empty() || options.key.empty()) return Invalid("a certificate (-c) and key (-k) are needed");
  return {};
}

}  // namespace fleetward::agent
