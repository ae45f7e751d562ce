// The subcommands of `fleetward`. Each returns the process's exit code and prints its own errors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "settings.h"

namespace fleetward::app {

struct UpArguments {
  std::string data;
  SettingSources sources;
};
/// Supervises the broker and the server until SIGTERM or SIGINT.
int RunUp(const UpArguments& arguments);
/// The server alone, inside the data folder; started by `up`.
int RunServe(const UpArguments& arguments);

/// Without a thing: the installation. `wait_seconds` >= 0 waits until everything serves (exit 0), else 1.
int RunStatus(const std::string& data, int wait_seconds, const std::string& thing);
int RunWhy(const std::string& data, const std::string& thing, const std::string& behavior);
struct MetricsArguments {
  std::string data, thing, metric, dimension;
  bool not_in = false;
  std::string since = "24h";  // a span
  bool as_json = false;
};
/// The values of a series, and the gaps between them with their causes.
int RunMetrics(const MetricsArguments& arguments);
struct ConnectionsArguments {
  std::string data, thing;    // no thing: everybody's, and refusals that are nobody's
  std::string since = "24h";  // a span
  bool as_json = false;
};
/// Connects, disconnects and refusals, oldest first.
int RunConnections(const ConnectionsArguments& arguments);
int RunMail(const std::string& data);
/// Messages that were given up, newest first.
int RunDeadLetters(const std::string& data, bool as_json);
/// Replaces this process by the stock CLI.
int RunAws(const std::string& data, const std::vector<std::string>& arguments);
int RunEnv(const std::string& data);

struct ProvisionArguments {
  std::string thing, data, out, bundle;
  std::string arch = {};  // of the bundle's agent: amd64, arm64, armhf; empty: this machine's
};
/// Prints nothing.
Status Provision(const ProvisionArguments& arguments);
int RunProvision(const ProvisionArguments& arguments);

struct ImportArguments {
  std::string data;
  std::string file = "-";   // "-": standard input
  std::string out;          // certificates as lines of JSON; empty: none
  bool csv = false;         // else lines of JSON
};
/// Exit code 1 also when rows were refused; the others are imported.
int RunImport(const ImportArguments& arguments);

struct RogueArguments {
  std::string data;                // for endpoint and CA
  std::string certificate, key;    // PEM files
  std::string client_id = "RogueAgent";
  std::string topic = "rogue/messages";
  double per_second = 1;
  int size = 100;
  int seconds = 0;                 // 0: until interrupted
};
int RunRogue(const RogueArguments& arguments);

struct FleetArguments {
  std::string data;
  int things = 40;
  int interval_seconds = 10;
  int rogue_after_seconds = 45;    // one thing begins to misbehave then; 0: never
  int seconds = 0;
  std::string prefix = "demo-";
  std::string devices;             // folder of the things' files; made when absent
  std::string group;               // thing group to add them to; empty: none
};
int RunFleet(const FleetArguments& arguments);

struct DetectScoreArguments {
  bool fleet = false;
  int step_seconds = 0;            // 0: from the data
};
/// Scores CSV rows of standard input (fleetward/detect/score_filter.h). 2: a bad row, named by its line.
int RunDetectScore(const DetectScoreArguments& arguments);

struct KeyArguments {
  std::string action;               // list, create, rotate, disable, enable, delete
  std::string data, id, role, description, out;
  std::vector<std::string> groups;  // thing groups of the scope
  std::string expires;              // "90d"; empty: never
  std::string grace = "24h";        // how long a rotated key still works
  bool as_json = false;
};
int RunKeys(const KeyArguments& arguments);

struct LogArguments {
  std::string data;
  std::string since = "24h";        // a span, or a time
  bool follow = false;
  bool as_json = false;
};
/// The operator log, oldest first.
int RunLog(const LogArguments& arguments);

/// "90", "90s", "15m", "24h", "7d" in seconds. Errors: kInvalidArgument.
Result<std::int64_t> ParseSpan(const std::string& text);

/// Prints "fleetward: message" to standard error; returns 1.
int Fail(const Error& error);

}  // namespace fleetward::app
