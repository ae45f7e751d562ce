#include "command_line.h"

#include <getopt.h>

#include <string_view>
#include <utility>

#include "fleetward/base/file.h"

namespace fleetward::agent {
namespace {

enum Flag : int { kConfig = 256, kSet, kProc, kCount, kVerbosity, kIgnored, kId, kCpu, kVersion, kLogLevel };

constexpr char kShort[] = ":e:r:c:k:t:f:i:sdw:p:h";

// Exact names win over abbreviations, and a single letter that is in kShort is always that flag.
const option kLong[] = {
    {"endpoint", required_argument, nullptr, 'e'},
    {"rootCA", required_argument, nullptr, 'r'},
    {"cert", required_argument, nullptr, 'c'},
    {"key", required_argument, nullptr, 'k'},
    {"id", required_argument, nullptr, kId},
    {"client_id", required_argument, nullptr, kId},
    {"thing_name", required_argument, nullptr, 't'},
    {"format", required_argument, nullptr, 'f'},
    {"interval", required_argument, nullptr, 'i'},
    {"short_tags", no_argument, nullptr, 's'},
    {"dryrun", no_argument, nullptr, 'd'},
    {"cm", no_argument, nullptr, kCpu},
    {"include-custom-metrics", no_argument, nullptr, kCpu},
    {"custom-metrics", no_argument, nullptr, kCpu},
    {"port", required_argument, nullptr, 'p'},
    {"config", required_argument, nullptr, kConfig},
    {"set", required_argument, nullptr, kSet},
    {"proc", required_argument, nullptr, kProc},
    {"count", required_argument, nullptr, kCount},
    {"verbosity", required_argument, nullptr, kVerbosity},
    {"log-level", required_argument, nullptr, kLogLevel},
    {"use-websocket", required_argument, nullptr, 'w'},
    {"se", required_argument, nullptr, kIgnored},
    {"signing-region", required_argument, nullptr, kIgnored},
    {"ph", required_argument, nullptr, kIgnored},
    {"proxy-host", required_argument, nullptr, kIgnored},
    {"pp", required_argument, nullptr, kIgnored},
    {"proxy-port", required_argument, nullptr, kIgnored},
    {"version", no_argument, nullptr, kVersion},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

Result<std::vector<std::string>> ExpandFiles(std::vector<std::string> arguments) {
  std::vector<std::string> expanded;
  for (std::string& argument : arguments) {
    if (argument.size() < 2 || argument[0] != '@') {
      expanded.push_back(std::move(argument));
      continue;
    }
    FW_ASSIGN(std::string text, ReadFile(argument.substr(1), 64 * 1024));
    std::string_view rest = text;
    while (!rest.empty()) {
      std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty()) expanded.emplace_back(line);
    }
  }
  return expanded;
}

// AWS's agent names levels of its runtime.
std::string LevelOfVerbosity(std::string_view verbosity) {
  if (verbosity == "Debug" || verbosity == "Trace") return "debug";
  if (verbosity == "Warn") return "warning";
  if (verbosity == "Error" || verbosity == "Fatal" || verbosity == "NoLogs") return "error";
  return "info";
}

struct Parsed {
  CommandLine line;
  std::vector<std::pair<int, std::string>> flags;  // in order, applied after the file
};

Result<Parsed> ReadFlags(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  std::string program = "fleetward-agent";
  argv.push_back(program.data());
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Parsed parsed;
  optind = 0;  // a fresh scan
  opterr = 0;
  for (;;) {
    int at = optind == 0 ? 1 : optind;
    int index = -1;
    int flag = getopt_long_only(static_cast<int>(argv.size()) - 1, argv.data(), kShort, kLong, &index);
    if (flag == -1) break;
    if (flag == '?') return Invalid("unknown or ambiguous flag " + std::string(argv[static_cast<std::size_t>(at)]));
    if (flag == ':') return Invalid(std::string(argv[static_cast<std::size_t>(at)]) + " needs a value");
    if (flag == kConfig) parsed.line.options.config_file = optarg;
    if (flag == 'h') parsed.line.action = CommandLine::Action::kHelp;
    if (flag == kVersion) parsed.line.action = CommandLine::Action::kVersion;
    if (flag == kIgnored || flag == 'w') parsed.line.ignored.push_back(argv[static_cast<std::size_t>(at)]);
    parsed.flags.emplace_back(flag, optarg != nullptr ? optarg : "");
  }
  if (static_cast<std::size_t>(optind) < argv.size() - 1) {
    return Invalid("unexpected argument \"" + std::string(argv[static_cast<std::size_t>(optind)]) + "\"");
  }
  return parsed;
}

// Key of the option table that a flag sets; empty for flags that have none.
std::string_view KeyOf(int flag) {
  switch (flag) {
    case 'e': return "endpoint";
    case 'r': return "root_ca";
    case 'c': return "certificate";
    case 'k': return "key";
    case kId: return "client_id";
    case 't': return "thing_name";
    case 'f': return "format";
    case 'i': return "interval_seconds";
    case 'p': return "port";
    case 's': return "short_names";
    case kCpu: return "cpu_usage";
    case kProc: return "proc";
    case kVerbosity:
    case kLogLevel: return "log.level";
    default: return {};
  }
}

Status ApplyFlag(int flag, const std::string& value, AgentOptions& options) {
  if (flag == kSet) return config::ApplySetting(AgentTable(), value, &options);
  if (flag == 'd') options.dry_run = true;
  if (flag == kCount) {
    char* end = nullptr;
    options.count = strtol(value.c_str(), &end, 10);
    if (end == value.c_str() || *end != 0 || options.count < 0) return Invalid("--count must be a whole number");
  }
  std::string_view key = KeyOf(flag);
  if (key.empty()) return {};
  bool is_switch = flag == 's' || flag == kCpu;
  std::string text = is_switch ? "true" : flag == kVerbosity ? LevelOfVerbosity(value) : value;
  return config::ApplySetting(AgentTable(), std::string(key) + "=" + text, &options);
}

}  // namespace

Result<CommandLine> ParseCommandLine(std::vector<std::string> arguments) {
  FW_ASSIGN(arguments, ExpandFiles(std::move(arguments)));
  FW_ASSIGN(Parsed parsed, ReadFlags(arguments));
  CommandLine& line = parsed.line;
  if (line.action != CommandLine::Action::kRun) return std::move(line);
  if (!line.options.config_file.empty()) {
    FW_TRY(config::ApplyFile(AgentTable(), line.options.config_file, &line.options));
  }
  for (const auto& [flag, value] : parsed.flags) FW_TRY(ApplyFlag(flag, value, line.options));
  if (line.options.dry_run && line.options.count == 0) line.options.count = 1;
  FW_TRY(CheckOptions(line.options));
  return std::move(line);
}

std::string HelpText() {
  return R"(fleetward-agent: reports this machine's sockets, traffic and custom metrics over MQTT (mutual TLS).

usage: fleetward-agent -e HOST -r CA -c CERT -k KEY -id CLIENT [flags]

  -e,  --endpoint HOST      broker, without port
  -p,  --port PORT          8883
  -r,  --rootCA FILE        PEM file that verifies the broker
  -c,  --cert FILE          client certificate (PEM)
  -k,  --key FILE           private key (PEM)
  -id, --client_id ID       MQTT client id
  -t,  --thing_name NAME    thing that reports (the client id)
  -f,  --format json|cbor   encoding of reports (json)
  -i,  --interval SECONDS   seconds from report to report (300)
  -s,  --short_tags         short field names
  -cm, --custom-metrics     also report cpu_usage (--include-custom-metrics is the same)
  -d,  --dryrun             print one report as JSON and end; no MQTT (with -f cbor also written to ./cbor_metrics)
       --count N            end after N reports (0: never; with -d: 1)
       --config FILE        options and custom metrics in TOML; flags win
       --set KEY=VALUE      one option as the file would set it
       --proc DIR           a host's /proc mounted in a container
       --log-level LEVEL    debug, info, warning or error (--verbosity takes AWS's names)
       --version, --help
  @FILE                     arguments from FILE, one a line

-w, -se, -ph and -pp of AWS's agent (MQTT over WebSocket) are accepted and ignored.
)";
}

}  // namespace fleetward::agent
