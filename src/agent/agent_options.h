// What the agent can be told, by file and by flags.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/config/option.h"

namespace fleetward::agent {

/// One `[[custom_metric]]`: a name and exactly one key that says what is measured.
struct CustomMetricOptions {
  std::string name;
  std::string child_processes_of;
  bool cpu_usage = false;
  std::string memory;
  std::string disk_usage;
  std::string load;
  std::string logged_in_users;
  bool running_processes = false;
  std::vector<std::string> command;
  std::string type = "number";            // of a command's value
  std::string user;
  std::int64_t timeout_seconds = 10;
};

struct AgentOptions {
  std::string endpoint;
  std::int64_t port = 8883;
  std::string root_ca, certificate, key;
  std::string client_id;
  std::string thing_name;                 // empty: the client id
  std::string format = "json";
  std::int64_t interval_seconds = 300;
  bool short_names = false;
  bool cpu_usage = false;
  std::string collector = "auto";
  std::string proc;                       // D39
  std::string replay_file;
  std::int64_t list_size = 200;
  std::vector<std::string> network_exclude;
  std::string spool_directory = "auto";
  std::int64_t spool_max_bytes = 1 << 20;
  std::int64_t answer_timeout_seconds = 30;
  std::int64_t keep_alive_seconds = 60;
  std::int64_t reconnect_max_seconds = 300;
  std::string log_level = "info";
  std::vector<CustomMetricOptions> custom_metrics;

  // Flags only.
  bool dry_run = false;
  std::int64_t count = 0;                 // reports before the agent ends; 0: no end
  std::string config_file;

  const std::string& thing() const { return thing_name.empty() ? client_id : thing_name; }
};

const config::OptionTable& AgentTable();

/// Rules that span several options: what a connection needs, names, no commands in a file that others can change.
Status CheckOptions(const AgentOptions& options);

/// The folder under /proc's root in which processes and machine figures are read.
inline std::string ProcFolder(const AgentOptions& options) { return options.proc.empty() ? "/proc" : options.proc; }

}  // namespace fleetward::agent
