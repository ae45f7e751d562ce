// `fleetward up`: a tiny supervisor with two children, Mosquitto and the server (D17). No threads, no stores.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"
#include "fleetward/supervise/broker_config.h"

namespace fleetward::supervise {

/// A port that the server will listen on: looked at before anything is started.
struct PortClaim {
  std::string address;
  std::uint16_t port = 0;
  std::string setting;  // its name for `--set`
};

/// Takes a data folder for this process until the descriptor is closed; supervisor.pid then holds the pid. To be called
/// before anything in the folder is touched. Errors: kConflict (another supervisor runs; names its pid), kIo.
Result<Fd> LockFolder(const std::string& data_dir);

struct SupervisorOptions {
  /// Holds supervisor.pid, server.pid, broker.pid, run/ (0700: sockets, secret), broker/ (the broker's state).
  std::string data_dir;
  /// From LockFolder(data_dir).
  Fd lock;
  /// control_socket, state_folder and the plugin's socket, secret and snapshot options are filled in by the
  /// supervisor: see RunPaths.
  BrokerConfig broker;
  std::string broker_program = "mosquitto";
  /// Argument vector of the server. It may find its sockets through RunPaths(data_dir).
  std::vector<std::string> server_command;
  /// User for both children when started as root; empty: none. What root owns in data_dir is given to that user.
  std::string user = "fleetward";
  /// Descriptors that both children may open: raised as far as the hard limit allows.
  std::uint64_t open_files = 65536;
  std::vector<PortClaim> server_ports;
  /// Each line that the broker prints.
  std::function<void(std::string_view)> broker_line;
};

/// Paths below a data folder that broker, plugin and server agree on.
struct RunPaths {
  explicit RunPaths(const std::string& data_dir);
  std::string run_dir;         // DIR/run, 0700
  std::string ingest_socket;   // server listens, plugin connects
  std::string control_socket;  // broker's private listener
  std::string control_secret;  // file: password of the control client (0600)
  std::string reason_socket;   // plugin listens, supervisor sends
  std::string snapshot;        // policy snapshot file
  std::string broker_config;
  std::string broker_tls;      // OPENSSL_CONF of the broker
  std::string broker_state;
};

class Supervisor {
 public:
  /// Ends what a killed supervisor left behind, checks the ports, writes secret and configuration. Errors: kUnavailable
  /// (port in use; names the process and the setting), kIo.
  static Result<std::unique_ptr<Supervisor>> Prepare(SupervisorOptions options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts both children and keeps them running until SIGTERM or SIGINT, then ends them within 5 s. Ok then; an
  /// error when a child cannot even be started.
  Status Run();

 private:
  struct State;
  explicit Supervisor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::supervise
