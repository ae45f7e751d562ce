#include "fleetward/supervise/broker_config.h"

#include <charconv>

namespace fleetward::supervise {
namespace {

/// A value is the rest of its line: no line breaks, no blanks at the ends.
Status CheckValue(const std::string& value) {
  bool bad = value.empty() || value.front() == ' ' || value.back() == ' ' ||
             value.find_first_of("\r\n") != std::string::npos;
  if (bad) return Error(Code::kInvalidArgument, "not a value for the broker's configuration: \"" + value + "\"");
  return {};
}

/// The broker knows whole hours and days only; sessions never end early.
std::string Expiry(std::uint32_t seconds) { return std::to_string((seconds + 3599) / 3600) + "h"; }

constexpr const char* kFixed = R"(per_listener_settings false
allow_anonymous true
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
set_tcp_nodelay true
check_retain_source false
queue_qos0_messages false
retain_available true
sys_interval 0
persistence true
)";

}  // namespace

Result<MqttListener> ParseMqttListener(const std::string& text) {
  Error error(Code::kInvalidArgument, "not an address and port: " + text);
  MqttListener listener;
  std::string port = text;
  std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    listener.address = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (listener.address.size() > 2 && listener.address.front() == '[' && listener.address.back() == ']') {
      listener.address = listener.address.substr(1, listener.address.size() - 2);
    } else if (listener.address.empty() || listener.address.find_first_of(":[] \t\r\n") != std::string::npos) {
      return error;
    }
  }
  unsigned number = 0;
  auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65535) return error;
  listener.port = static_cast<std::uint16_t>(number);
  return listener;
}

Result<std::string> RenderBrokerConfig(const BrokerConfig& config) {
  for (const std::string* value : {&config.certificate_file, &config.key_file, &config.ca_folder,
                                   &config.plugin_file, &config.state_folder, &config.control_socket}) {
    FW_TRY(CheckValue(*value));
  }
  std::string text = "# Written by fleetward at each start; changes are lost.\n";
  text += kFixed;
  auto line = [&text](const std::string& name, const std::string& value) { text += name + " " + value + "\n"; };
  line("persistence_location", config.state_folder + "/");
  line("autosave_interval", std::to_string(config.autosave_seconds));
  line("persistent_client_expiration", Expiry(config.session_expiry_seconds));
  line("max_inflight_messages", std::to_string(config.max_inflight_messages));
  line("max_inflight_bytes", std::to_string(config.max_inflight_bytes));
  line("max_queued_messages", std::to_string(config.max_queued_messages));
  line("max_queued_bytes", std::to_string(config.max_queued_bytes));
  line("max_packet_size", std::to_string(config.max_packet_bytes));
  line("plugin", config.plugin_file);
  for (const auto& [name, value] : config.plugin_options) {
    FW_TRY(CheckValue(value));
    line("plugin_opt_" + name, value);
  }
  text += "\n";
  line("listener 0", config.control_socket);
  for (const MqttListener& listener : config.listeners) {
    text += "\nlistener " + std::to_string(listener.port);
    if (!listener.address.empty()) {
      FW_TRY(CheckValue(listener.address));
      text += " " + listener.address;
    }
    text += "\n";
    line("certfile", config.certificate_file);
    line("keyfile", config.key_file);
    line("capath", config.ca_folder);
    line("require_certificate", "true");
    line("max_qos", "1");
  }
  return text;
}

}  // namespace fleetward::supervise
