#include "settings.h"

#include <netdb.h>

namespace fleetward::app {
namespace {

bool IsWildcard(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

std::string Bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

}  // namespace

Result<config::ServerOptions> LoadOptions(const SettingSources& sources) {
  config::ServerOptions options;
  if (!sources.config_file.empty()) FW_TRY(config::ApplyFile(config::ServerTable(), sources.config_file, &options));
  for (const std::string& setting : sources.settings) {
    FW_TRY(config::ApplySetting(config::ServerTable(), setting, &options));
  }
  return options;
}

std::string PublicUrl(const config::ServerOptions& options) {
  if (!options.api_public_url.empty()) {
    std::string url = options.api_public_url;
    while (!url.empty() && url.back() == '/') url.pop_back();
    return url;
  }
  auto listen = config::ParseHostPort(options.api_listen);
  std::string host = "localhost";
  std::string port = "8443";
  if (listen.ok()) {
    port = std::to_string(listen->port);
    if (!IsWildcard(listen->host)) {
      host = listen->host;
    } else if (!options.tls_hostnames.empty()) {
      host = options.tls_hostnames.front();
    }
  }
  return "https://" + Bracketed(host) + ':' + port;
}

std::string MqttHost(const config::ServerOptions& options) {
  if (!options.tls_hostnames.empty()) return options.tls_hostnames.front();
  // A minimal system may have no /etc/hosts; the certificate names the address as well.
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) return "127.0.0.1";
  freeaddrinfo(found);
  return "localhost";
}

Result<int> MqttPort(const config::ServerOptions& options) {
  if (options.mqtt_listen.empty()) return Error(Code::kInvalidArgument, "mqtt.listen is empty");
  FW_ASSIGN(auto listen, config::ParseHostPort(options.mqtt_listen.front()));
  return static_cast<int>(listen.port);
}

}  // namespace fleetward::app
