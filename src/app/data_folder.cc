#include "data_folder.h"

#include <unistd.h>

#include <climits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fleetward/base/file.h"

namespace fleetward::app {

Status WriteEndpoint(const DataFolder& folder, const Endpoint& endpoint) {
  nlohmann::ordered_json j = {{"api", endpoint.api},
                              {"mqtt_host", endpoint.mqtt_host},
                              {"mqtt_port", endpoint.mqtt_port},
                              {"ca", endpoint.ca}};
  return WriteFileAtomic(folder.endpoint(), j.dump(2) + '\n', 0644);
}

Result<Endpoint> ReadEndpoint(const DataFolder& folder) {
  FW_ASSIGN(std::string text, ReadFile(folder.endpoint(), 65536));
  auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object() || !j.contains("api") || !j["api"].is_string()) {
    return Error(Code::kCorrupt, folder.endpoint() + " cannot be read");
  }
  Endpoint endpoint;
  endpoint.api = j.value("api", "");
  endpoint.mqtt_host = j.value("mqtt_host", "");
  endpoint.mqtt_port = j.value("mqtt_port", 8883);
  endpoint.ca = j.value("ca", "");
  return endpoint;
}

Status WriteCredentials(const DataFolder& folder, const Credentials& credentials) {
  std::string text = "[fleetward]\naws_access_key_id = " + credentials.access_key_id +
                     "\naws_secret_access_key = " + credentials.secret + "\nregion = " + credentials.region + '\n';
  return WriteFileAtomic(folder.credentials(), text, 0600);
}

Result<Credentials> ReadCredentials(const DataFolder& folder) {
  FW_ASSIGN(std::string text, ReadFile(folder.credentials(), 65536));
  Credentials credentials;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    std::string key = line.substr(0, equals);
    std::string value = line.substr(equals + 3);
    if (key == "aws_access_key_id") credentials.access_key_id = value;
    if (key == "aws_secret_access_key") credentials.secret = value;
    if (key == "region") credentials.region = value;
  }
  if (credentials.access_key_id.empty() || credentials.secret.empty()) {
    return Error(Code::kCorrupt, folder.credentials() + " holds no access key");
  }
  return credentials;
}

std::string Absolute(const std::string& path) {
  if (!path.empty() && path[0] == '/') return path;
  char cwd[PATH_MAX];
  if (getcwd(cwd, sizeof cwd) == nullptr) return path;
  return path == "." ? std::string(cwd) : std::string(cwd) + '/' + path;
}

}  // namespace fleetward::app
