// Configuration files of server and agent.
#include <cstdint>
#include <string_view>

#include "agent_options.h"
#include "fleetward/config/server_options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace config = fleetward::config;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  config::ServerOptions server;
  static_cast<void>(config::ApplyToml(config::ServerTable(), text, "fuzz", &server));
  static_cast<void>(config::ApplySetting(config::ServerTable(), text, &server));
  fleetward::agent::AgentOptions agent;
  static_cast<void>(config::ApplyToml(fleetward::agent::AgentTable(), text, "fuzz", &agent));
  return 0;
}
