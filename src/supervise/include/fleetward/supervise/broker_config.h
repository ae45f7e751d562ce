// Mosquitto's configuration, written in this one place (docs/broker.md says why each line is there).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::supervise {

struct MqttListener {
  std::string address;  // "0.0.0.0", "::1"; empty: all
  std::uint16_t port = 8883;
};

/// "host:port", "[::1]:port" or "port". Error: kInvalidArgument.
Result<MqttListener> ParseMqttListener(const std::string& text);

struct BrokerConfig {
  std::vector<MqttListener> listeners;
  std::string certificate_file;   // the server's chain, PEM
  std::string key_file;
  std::string ca_folder;          // capath: hash links; a CA added there holds from the next handshake on
  std::string plugin_file;        // fleetward_mosquitto.so
  std::string state_folder;       // mosquitto.db
  std::string control_socket;     // in a 0700 folder
  /// plugin_opt_NAME values; docs/broker.md lists the names.
  std::vector<std::pair<std::string, std::string>> plugin_options;
  std::uint32_t max_inflight_messages = 100;      // core.md §3
  std::uint32_t max_queued_messages = 1000;
  std::uint32_t max_inflight_bytes = 1 << 20;     // a client; threats.md g
  std::uint32_t max_queued_bytes = 1 << 20;       // a client, on top
  std::uint32_t max_packet_bytes = 146 * 1024;    // over the payload's 128 KB, which the plugin checks exactly
  std::uint32_t autosave_seconds = 30;
  std::uint32_t session_expiry_seconds = 3600;
};

/// OpenSSL's configuration for the broker, which has no options for these. OpenSSL's own list of groups ends with finite
/// fields up to 8192 bits: one ClientHello that offers nothing else costs the server 10 ms, its sender nothing (threats.md
/// k). P-384 and P-521 have to stay: in TLS 1.2 the list says which keys client certificates may have, too.
inline constexpr const char* kBrokerTls = R"(# Written by fleetward at each start; changes are lost.
openssl_conf = broker
[broker]
ssl_conf = tls
[tls]
system_default = limits
[limits]
MinProtocol = TLSv1.2
Groups = X25519:P-256:P-384:P-521
)";

/// The file's text. Error: kInvalidArgument for values that a configuration line cannot hold.
Result<std::string> RenderBrokerConfig(const BrokerConfig& config);

}  // namespace fleetward::supervise
