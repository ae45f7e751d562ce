// `fleetward`: server and command line in one program.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "commands/commands.h"
#include "version.h"

namespace fleetward::app {
namespace {

// FLEETWARD_DATA saves typing --data; `fleetward env` sets it. The default is the folder of scripts/up.
std::string DefaultData() {
  const char* data = std::getenv("FLEETWARD_DATA");
  return data != nullptr ? data : "var/data";
}

void AddKeys(CLI::App& app, KeyArguments& keys, int& exit_code) {
  auto* group = app.add_subcommand("keys", "access keys: who may call the API");
  group->require_subcommand(1);
  auto add = [&](const char* action, const char* help, bool with_id) {
    auto* command = group->add_subcommand(action, help);
    command->add_option("--data", keys.data, "data folder (or FLEETWARD_DATA)");
    if (with_id) command->add_option("id", keys.id, "the key's id")->required();
    command->callback([&keys, &exit_code, action] {
      keys.action = action;
      exit_code = RunKeys(keys);
    });
    return command;
  };
  add("list", "all keys, with their last use", false)->add_flag("--json", keys.as_json, "one JSON object a line");
  auto* create = add("create", "a new key", false);
  create->add_option("--role", keys.role, "admin, operator (acts, does not configure) or viewer")->required();
  create->add_option("--group", keys.groups, "scope: a thing group, may be repeated")->allow_extra_args(false);
  create->add_option("--description", keys.description, "what it is for");
  create->add_option("--expires", keys.expires, "after this time, such as 90d");
  create->add_option("--out", keys.out, "write id and secret to this file (0600)");
  auto* rotate = add("rotate", "a successor with the same role and scope", true);
  rotate->add_option("--grace", keys.grace, "how long the old key still works")->capture_default_str();
  rotate->add_option("--out", keys.out, "write id and secret to this file (0600)");
  add("disable", "refuse a key from now on", true);
  add("enable", "accept it again", true);
  add("delete", "remove it for good", true);
}

void AddSettings(CLI::App* command, UpArguments& arguments) {
  command->add_option("--data", arguments.data, "data folder")->required();
  command->add_option("--config", arguments.sources.config_file, "TOML file; see docs/configuration.md");
  command->add_option("--set", arguments.sources.settings, "key=value, may be repeated; wins over the file")
      ->allow_extra_args(false);
}

int Main(int argc, char** argv) {
  CLI::App app{"Fleetward: security monitoring for fleets of connected devices", "fleetward"};
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  int exit_code = 0;
  std::string data = DefaultData();
  auto with_data = [&data](CLI::App* command) {
    command->add_option("--data", data, "data folder (or FLEETWARD_DATA)");
    return command;
  };

  UpArguments up;
  auto* up_command = app.add_subcommand("up", "start broker and server and stay in the foreground");
  AddSettings(up_command, up);
  up_command->callback([&] { exit_code = RunUp(up); });

  UpArguments serve;
  auto* serve_command = app.add_subcommand("serve", "the server alone; started by up");
  AddSettings(serve_command, serve);
  serve_command->callback([&] { exit_code = RunServe(serve); });

  int wait = -1;
  std::string thing;
  auto* status = with_data(app.add_subcommand("status", "what is running, or how one thing is doing"));
  status->add_option("--wait", wait, "seconds to wait until everything serves");
  status->add_option("thing", thing, "a thing's name");
  status->callback([&] { exit_code = RunStatus(data, wait, thing); });

  std::string behavior;
  auto* why = with_data(app.add_subcommand("why", "why there is an alarm, or none"));
  why->add_option("thing", thing, "a thing's name")->required();
  why->add_option("behavior", behavior, "one behavior");
  why->callback([&] { exit_code = RunWhy(data, thing, behavior); });

  MetricsArguments metrics;
  auto* metrics_command = with_data(app.add_subcommand("metrics", "the values of a metric, and why there are gaps"));
  metrics_command->add_option("thing", metrics.thing, "a thing's name")->required();
  metrics_command->add_option("metric", metrics.metric, "such as aws:all-bytes-out, or a custom metric")->required();
  auto* dimension = metrics_command->add_option("--dimension", metrics.dimension, "of the messages this dimension selects");
  metrics_command->add_flag("--not-in", metrics.not_in, "of those it does not select")->needs(dimension);
  metrics_command->add_option("--since", metrics.since, "a span such as 24h or 7d")->capture_default_str();
  metrics_command->add_flag("--json", metrics.as_json, "one JSON object a line");
  metrics_command->callback([&] {
    metrics.data = data;
    exit_code = RunMetrics(metrics);
  });

  ConnectionsArguments connections;
  auto* connections_command = with_data(app.add_subcommand("connections", "who connected, left and was refused, kept 31 days"));
  connections_command->add_option("thing", connections.thing, "of this thing; without: all, and refusals that are nobody's");
  connections_command->add_option("--since", connections.since, "a span such as 24h or 7d")->capture_default_str();
  connections_command->add_flag("--json", connections.as_json, "one JSON object a line, with the whole certificate id");
  connections_command->callback([&] {
    connections.data = data;
    exit_code = RunConnections(connections);
  });

  auto* mail = with_data(app.add_subcommand("mail", "mails that were kept or could not be delivered"));
  mail->callback([&] { exit_code = RunMail(data); });

  bool as_json = false;
  auto* dead = with_data(app.add_subcommand("dead-letters", "messages that were given up"));
  dead->add_flag("--json", as_json, "one JSON object a line");
  dead->callback([&] { exit_code = RunDeadLetters(data, as_json); });

  KeyArguments keys;
  keys.data = data;
  AddKeys(app, keys, exit_code);

  LogArguments operator_log;
  operator_log.data = data;
  auto* log = app.add_subcommand("log", "the operator log: who did what");
  log->add_option("--data", operator_log.data, "data folder (or FLEETWARD_DATA)");
  log->add_option("--since", operator_log.since, "a span such as 24h or 7d, or a time")->capture_default_str();
  log->add_flag("--follow", operator_log.follow, "wait for more");
  log->add_flag("--json", operator_log.as_json, "one JSON object a line");
  log->callback([&] { exit_code = RunLog(operator_log); });

  auto* env = with_data(app.add_subcommand("env", "shell settings for the stock CLI: eval \"$(fleetward env)\""));
  env->callback([&] { exit_code = RunEnv(data); });

  auto* aws = with_data(app.add_subcommand("aws", "the stock aws CLI with endpoint, CA and credentials set"));
  aws->prefix_command();
  aws->callback([&] { exit_code = RunAws(data, aws->remaining()); });

  ProvisionArguments provision;
  auto* provision_command = app.add_subcommand("provision", "thing, key, certificate and policy in one step");
  provision_command->add_option("thing", provision.thing, "the thing's name")->required();
  provision_command->add_option("--data", data, "data folder (or FLEETWARD_DATA)");
  provision_command->add_option("--out", provision.out, "folder for the device's files")->required();
  provision_command->add_option("--bundle", provision.bundle, "also write a .tar.gz to install on another machine");
  provision_command
      ->add_option("--arch", provision.arch, "the bundle's agent is for this architecture (scripts/build agent ARCH)")
      ->check(CLI::IsMember({"amd64", "arm64", "armhf"}));
  provision_command->callback([&] {
    provision.data = data;
    exit_code = RunProvision(provision);
  });

  ImportArguments import;
  bool json_lines = false;
  auto* import_command = with_data(app.add_subcommand("import", "many things at once, from CSV or lines of JSON"));
  import_command->add_option("file", import.file, "what to read; - is standard input")->capture_default_str();
  auto* format = import_command->add_option_group("format");
  format->add_flag("--csv", import.csv, "a header line, then rows; attributes.NAME, lists separated by semicolons");
  format->add_flag("--jsonl", json_lines, "one JSON object a line");
  format->require_option(1);
  import_command->add_option("--out", import.out, "write issued and registered certificates here, as lines of JSON");
  import_command->callback([&] {
    import.data = data;
    exit_code = RunImport(import);
  });

  auto* simulate = app.add_subcommand("simulate", "devices that are not there");
  simulate->require_subcommand(1);
  RogueArguments rogue;
  auto* rogue_command = simulate->add_subcommand("rogue", "floods a topic and listens to it, with a thing's certificate");
  rogue_command->add_option("--data", data, "data folder (or FLEETWARD_DATA)");
  rogue_command->add_option("--cert", rogue.certificate, "certificate of a thing, PEM")->required();
  rogue_command->add_option("--key", rogue.key, "its key, PEM")->required();
  rogue_command->add_option("--client-id", rogue.client_id, "MQTT client id")->capture_default_str();
  rogue_command->add_option("--topic", rogue.topic, "topic to flood")->capture_default_str();
  rogue_command->add_option("--rate", rogue.per_second, "messages a second")->capture_default_str();
  rogue_command->add_option("--size", rogue.size, "characters a message")->capture_default_str();
  rogue_command->add_option("--seconds", rogue.seconds, "stop after this time; 0: at Ctrl-C")->capture_default_str();
  rogue_command->callback([&] {
    rogue.data = data;
    exit_code = RunRogue(rogue);
  });
  FleetArguments fleet;
  auto* fleet_command = simulate->add_subcommand("fleet", "many reporting devices over MQTT, one of which turns rogue");
  fleet_command->add_option("--data", data, "data folder (or FLEETWARD_DATA)");
  fleet_command->add_option("--things", fleet.things, "how many")->capture_default_str();
  fleet_command->add_option("--interval", fleet.interval_seconds, "seconds between reports")->capture_default_str();
  fleet_command->add_option("--rogue-after", fleet.rogue_after_seconds, "seconds until one turns rogue; 0: never")
      ->capture_default_str();
  fleet_command->add_option("--seconds", fleet.seconds, "stop after this time; 0: at Ctrl-C")->capture_default_str();
  fleet_command->add_option("--prefix", fleet.prefix, "of the things' names")->capture_default_str();
  fleet_command->add_option("--devices", fleet.devices, "folder of the things' keys and certificates")->required();
  fleet_command->add_option("--group", fleet.group, "thing group to add the things to");
  fleet_command->callback([&] {
    fleet.data = data;
    exit_code = RunFleet(fleet);
  });

  auto* detect = app.add_subcommand("detect", "what the detectors would say");
  detect->require_subcommand(1);
  DetectScoreArguments score;
  auto* score_command = detect->add_subcommand(
      "score", "anomaly scores for CSV on standard input: timestamp,value (docs/ml-detect.md)");
  score_command->add_option("--step", score.step_seconds, "seconds between values; default: from the data")
      ->check(CLI::Range(1, 86400));
  score_command->add_flag("--fleet", score.fleet, "rows are timestamp,device,metric,value, judged beside their peers");
  score_command->callback([&] { exit_code = RunDetectScore(score); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault);
  }
  return exit_code;
}

}  // namespace
}  // namespace fleetward::app

int main(int argc, char** argv) { return fleetward::app::Main(argc, argv); }
