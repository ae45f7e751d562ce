// The supervisor with a real Mosquitto, without the rest of the server:
// fleetward-supervise-testd DATA PLUGIN SERVER_CERT SERVER_KEY CA_FOLDER LISTEN [NAME=VALUE plugin option]… -- COMMAND…
#include <cstdlib>
#include <iostream>

#include "fleetward/supervise/supervisor.h"

int main(int argc, char** argv) {
  using namespace fleetward::supervise;
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 6) return 2;
  SupervisorOptions options;
  options.data_dir = args[0];
  options.broker.plugin_file = args[1];
  options.broker.certificate_file = args[2];
  options.broker.key_file = args[3];
  options.broker.ca_folder = args[4];
  auto listener = ParseMqttListener(args[5]);
  if (!listener.ok()) return 2;
  options.broker.listeners = {*listener};
  const char* user = std::getenv("FLEETWARD_TEST_USER");
  options.user = user == nullptr ? "" : user;
  std::size_t i = 6;
  for (; i < args.size() && args[i] != "--"; ++i) {
    std::size_t equals = args[i].find('=');
    if (equals == std::string::npos) return 2;
    options.broker.plugin_options.emplace_back(args[i].substr(0, equals), args[i].substr(equals + 1));
  }
  if (i < args.size()) options.server_command.assign(args.begin() + static_cast<std::ptrdiff_t>(i) + 1, args.end());
  options.broker_line = [](std::string_view line) { std::cout << line << std::endl; };
  auto lock = LockFolder(options.data_dir);
  if (!lock.ok()) {
    std::cerr << lock.error().ToString() << std::endl;
    return 1;
  }
  options.lock = std::move(lock).value();
  auto supervisor = Supervisor::Prepare(std::move(options));
  if (!supervisor.ok()) {
    std::cerr << supervisor.error().message() << std::endl;
    return 1;
  }
  return (*supervisor)->Run().ok() ? 0 : 1;
}
