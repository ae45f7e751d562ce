// The options of `up` and `serve`, read from a file and the command line, and what follows from them.
#pragma once

#include <string>
#include <vector>

#include "data_folder.h"
#include "fleetward/base/result.h"
#include "fleetward/config/server_options.h"
#include "fleetward/registry/quotas.h"

namespace fleetward::app {

/// What the command line says.
struct SettingSources {
  std::string config_file;             // may be empty
  std::vector<std::string> settings;   // key=value, later ones win
};

Result<config::ServerOptions> LoadOptions(const SettingSources& sources);

/// `endpoint.json`'s api: leads to api.listen from this machine, whatever others call it.
std::string ApiUrl(const config::ServerOptions& options);
/// Base of links in messages: api.public_url, else the first of tls.hostnames with the API's port, else ApiUrl.
std::string PublicUrl(const config::ServerOptions& options);
/// The limits of the registry.
registry::Quotas QuotasOf(const config::ServerOptions& options);
/// A name of the server certificate for MQTT clients.
std::string MqttHost(const config::ServerOptions& options);
/// Port of the first MQTT listener.
Result<int> MqttPort(const config::ServerOptions& options);

}  // namespace fleetward::app
