#include "local_client.h"

#include <nlohmann/json.hpp>

#include "fleetward/base/clock.h"
#include "fleetward/crypto/sigv4.h"
#include "fleetward/http_client/client.h"

namespace fleetward::app {

Result<LocalClient> LocalClient::Open(const DataFolder& folder) {
  auto endpoint = ReadEndpoint(folder);
  if (!endpoint.ok()) {
    if (endpoint.error().code() == Code::kNotFound) {
      return Error(Code::kNotFound, "no server is running on " + folder.root() +
                                        " (start one with: fleetward up --data " + folder.root() + ')');
    }
    return std::move(endpoint).error();
  }
  FW_ASSIGN(Credentials credentials, ReadCredentials(folder));
  return LocalClient(std::move(*endpoint), std::move(credentials));
}

Result<nlohmann::json> LocalClient::Call(std::string_view method, const std::string& target,
                                         const std::string& body) const {
  std::size_t scheme = endpoint_.api.find("://");
  std::string host = scheme == std::string::npos ? endpoint_.api : endpoint_.api.substr(scheme + 3);
  http::ClientCall call;
  call.method = method;
  call.url = endpoint_.api + target;
  call.headers = {{"Host", host}};
  if (!body.empty()) call.headers.emplace_back("Content-Type", "application/json");
  call.body = body;
  call.ca_file = endpoint_.ca;
  crypto::HttpCall to_sign{call.method, target, call.headers, call.body};
  for (auto& header : crypto::SignCall(to_sign,
                                       {credentials_.access_key_id, credentials_.secret, credentials_.region, "iot"},
                                       SystemClock().Now())) {
    call.headers.push_back(std::move(header));
  }
  FW_ASSIGN(http::ClientAnswer answer, http::Perform(call));
  auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (answer.status / 100 != 2) {
    std::string message = json.is_object() ? json.value("message", answer.body) : answer.body;
    Code code = answer.status == 404 ? Code::kNotFound : answer.status == 403 ? Code::kPermissionDenied : Code::kUnavailable;
    return Error(code, "the server answered " + std::to_string(answer.status) + ": " + message);
  }
  if (json.is_discarded()) return Error(Code::kCorrupt, "the server's answer is no JSON");
  return json;
}

}  // namespace fleetward::app
