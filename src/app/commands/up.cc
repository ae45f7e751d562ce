#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/config/server_options.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/trust_folder.h"
#include "fleetward/supervise/supervisor.h"
#include "server.h"

namespace fleetward::app {
namespace {

constexpr const char* kUser = "fleetward";

std::string ProgramFolder() {
  std::error_code fault;
  return std::filesystem::read_symlink("/proc/self/exe", fault).parent_path().string();
}

// Beside the program in a build tree and in an installed one: bin/fleetward, lib/fleetward_mosquitto.so.
Result<std::string> PluginPath() {
  for (const char* place : {"/../lib/fleetward_mosquitto.so", "/../lib/fleetward/fleetward_mosquitto.so"}) {
    std::string path = ProgramFolder() + place;
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return Error(Code::kNotFound, "fleetward_mosquitto.so is not beside " + ProgramFolder());
}

// The broker may run as a user that cannot reach the build folder: it gets a copy inside the data folder.
Status CopyFile(const std::string& from, const std::string& to, unsigned mode) {
  FW_ASSIGN(std::string content, ReadFile(from, 256 << 20));
  if (auto present = ReadFile(to, 256 << 20); present.ok() && *present == content) return {};  // a full disk may start, too
  return WriteFileAtomic(to, content, mode);
}

// Everything in the folder belongs to the user that the children run as.
void GiveTo(const char* user) {
  const passwd* entry = getpwnam(user);
  if (entry == nullptr) return;
  std::error_code fault;
  [[maybe_unused]] int ignored = lchown(".", entry->pw_uid, entry->pw_gid);
  for (auto at = std::filesystem::recursive_directory_iterator(
           ".", std::filesystem::directory_options::skip_permission_denied, fault);
       !fault && at != std::filesystem::recursive_directory_iterator(); at.increment(fault)) {
    ignored = lchown(at->path().c_str(), entry->pw_uid, entry->pw_gid);
  }
}

// The children cannot read what only root can: settings, the mail password and CAs go along as copies.
Result<std::vector<std::string>> ServerCommand(const UpArguments& arguments, const config::ServerOptions& options) {
  std::vector<std::string> command = {"/proc/self/exe", "serve", "--data", "."};
  if (!arguments.sources.config_file.empty()) {
    FW_TRY(CopyFile(arguments.sources.config_file, "run/config.toml", 0600));
    command.insert(command.end(), {"--config", "run/config.toml"});
  }
  for (const std::string& setting : arguments.sources.settings) command.insert(command.end(), {"--set", setting});
  if (!options.notify_smtp_credentials_file.empty()) {
    FW_TRY(CopyFile(options.notify_smtp_credentials_file, "run/smtp-credentials", 0600));
    command.insert(command.end(), {"--set", "notify.smtp.credentials_file=run/smtp-credentials"});
  }
  if (!options.fetch_ca_file.empty()) {
    FW_TRY(CopyFile(options.fetch_ca_file, "run/fetch-ca.pem", 0644));
    command.insert(command.end(), {"--set", "fetch.ca_file=run/fetch-ca.pem"});
  }
  return command;
}

Result<std::vector<supervise::PortClaim>> ServerPorts(const config::ServerOptions& options) {
  std::vector<supervise::PortClaim> claims;
  const std::pair<const char*, const std::string*> listeners[] = {{"api.listen", &options.api_listen},
                                                                 {"metrics.listen", &options.metrics_listen}};
  for (const auto& [setting, text] : listeners) {
    if (text->empty()) continue;
    FW_ASSIGN(auto listen, config::ParseHostPort(*text));
    claims.push_back({listen.host, listen.port, setting});
  }
  return claims;
}

Result<supervise::SupervisorOptions> Prepare(const UpArguments& arguments, const config::ServerOptions& options) {
  SystemClock clock;
  FW_ASSIGN(auto ca, crypto::CertificateAuthority::OpenOrCreate(".", clock.Now()));
  FW_ASSIGN(auto names, crypto::ServerNames(options.tls_hostnames));
  FW_ASSIGN(auto identity, crypto::EnsureServerCertificate(".", ca, names, clock.Now()));
  FW_TRY(MakeDirs("run", 0700));
  FW_TRY(MakeDirs("trusted", 0755));
  FW_TRY(crypto::TrustCa("trusted", "fleetward-ca", ca.certificate()));
  FW_ASSIGN(std::string plugin, PluginPath());
  FW_TRY(CopyFile(plugin, "run/fleetward_mosquitto.so", 0755));

  supervise::SupervisorOptions supervisor;
  supervisor.data_dir = ".";
  for (const std::string& listen : options.mqtt_listen) {
    FW_ASSIGN(auto listener, supervise::ParseMqttListener(listen));
    supervisor.broker.listeners.push_back(listener);
  }
  supervisor.broker.certificate_file = identity.certificate_path;
  supervisor.broker.key_file = identity.key_path;
  supervisor.broker.ca_folder = "trusted";
  supervisor.broker.plugin_file = "./run/fleetward_mosquitto.so";
  std::int64_t bucket = std::min<std::int64_t>(300, options.detect_min_duration_seconds);
  supervisor.broker.plugin_options = {
      {"bucket_seconds", std::to_string(bucket)},
      {"close_on_denied_subscribe", options.mqtt_on_denied_subscribe == "close" ? "true" : "false"},
      {"max_publishes_per_second", std::to_string(options.mqtt_max_publishes_per_second)},
      {"report_for_others", options.ingest_report_for_others ? "true" : "false"},
  };
  FW_ASSIGN(supervisor.server_command, ServerCommand(arguments, options));
  FW_ASSIGN(supervisor.server_ports, ServerPorts(options));
  supervisor.user = geteuid() == 0 ? kUser : "";
  supervisor.broker_line = [](std::string_view line) {
    // Connects and disconnects are in the connection history; faults belong before the operator's eyes.
    bool fault = line.find("Error") != std::string_view::npos || line.find("fleetward:") != std::string_view::npos;
    fault ? log::Warning("broker", {{"line", line}}) : log::Debug("broker", {{"line", line}});
  };
  if (geteuid() == 0) {
    if (getpwnam(kUser) == nullptr) {
      return Error(Code::kNotFound, "started as root, but there is no user fleetward to run as: run scripts/bootstrap");
    }
    GiveTo(kUser);
  }
  return supervisor;
}

Status EnterFolder(const std::string& data) {
  FW_TRY(MakeDirs(data, 0750));
  // Everything below is reached from here: the children may not be able to walk the path (a 0700 parent).
  if (chdir(data.c_str()) != 0) return ErrnoError(errno, "entering " + data);
  return {};
}

log::Level LevelOf(const std::string& name) {
  if (name == "debug") return log::Level::kDebug;
  if (name == "info") return log::Level::kInfo;
  if (name == "warning") return log::Level::kWarning;
  return log::Level::kError;
}

Status Up(UpArguments arguments) {
  signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is a full disk, for the children, too: a write fails, nobody dies
  FW_ASSIGN(config::ServerOptions options, LoadOptions(arguments.sources));
  log::SetLevel(LevelOf(options.log_level));
  if (!arguments.sources.config_file.empty()) arguments.sources.config_file = Absolute(arguments.sources.config_file);
  if (!options.notify_smtp_credentials_file.empty()) {
    options.notify_smtp_credentials_file = Absolute(options.notify_smtp_credentials_file);
  }
  if (!options.fetch_ca_file.empty()) options.fetch_ca_file = Absolute(options.fetch_ca_file);
  std::string data = Absolute(arguments.data);
  FW_TRY(EnterFolder(data));
  FW_ASSIGN(Fd lock, supervise::LockFolder(data));
  FW_ASSIGN(auto prepared, Prepare(arguments, options));
  prepared.lock = std::move(lock);
  FW_ASSIGN(auto supervisor, supervise::Supervisor::Prepare(std::move(prepared)));
  unlink("endpoint.json");  // stale: written again once everything serves
  std::fprintf(stderr, "Fleetward starts. Data folder: %s\n", data.c_str());
  return supervisor->Run();
}

Status Serve(const UpArguments& arguments) {
  FW_TRY(EnterFolder(arguments.data));
  FW_ASSIGN(config::ServerOptions options, LoadOptions(arguments.sources));
  log::SetLevel(LevelOf(options.log_level));
  // Blocked before any thread exists, so that this thread alone takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  FW_ASSIGN(auto server, Server::Start(DataFolder("."), options));
  int received = 0;
  sigwait(&signals, &received);
  log::Info("stopping", {{"signal", received}});
  server->Stop();
  return {};
}

}  // namespace

int RunUp(const UpArguments& arguments) {
  Status done = Up(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

int RunServe(const UpArguments& arguments) {
  Status done = Serve(arguments);
  return done.ok() ? 0 : Fail(done.error());
}

}  // namespace fleetward::app
