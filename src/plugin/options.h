// The plugin's options: `plugin_opt_NAME VALUE` lines of the broker's configuration (docs/broker.md lists them).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "fleetward/base/result.h"

namespace fleetward::plugin {

struct Options {
  std::string edge_id = "edge";
  std::string snapshot_file;
  std::string ingest_socket;
  std::string reason_socket;          // empty: disconnect reasons stay UNKNOWN
  std::string control_socket;         // path of the private listener, as the broker's configuration spells it
  std::string control_secret_file;
  std::string trust_folder;           // CAs, as `capath`; empty: the broker's own check decides
  std::int64_t bucket_seconds = 300;  // D3
  std::uint64_t buffer_bytes = 64 << 20;
  bool close_on_denied_subscribe = true;  // MQTT 3.1.1 (D30)
  bool report_for_others = false;     // threats.md e
  std::uint64_t max_payload_bytes = 128 * 1024;
  std::uint64_t max_publishes_per_second = 100;  // a connection; 0: no limit (threats.md h)
  std::uint64_t max_subscriptions = 50;          // a connection (core.md §3)
  std::uint64_t max_clients_per_certificate = 64;
  std::uint64_t max_sessions_per_certificate = 64;   // client ids with a persistent session
  std::uint64_t max_retained_per_certificate = 256;  // retained topics
  std::uint64_t max_waiting_bytes = 1 << 20;         // sent to a client that does not read them
  std::int64_t session_expiry_seconds = 3600;        // as the broker's persistent_client_expiration
};

/// Errors: kInvalidArgument, naming the option (unknown, out of range, missing).
Result<Options> ParseOptions(std::span<const std::pair<std::string, std::string>> options);

}  // namespace fleetward::plugin
