#include "fleetward/http/admin.h"

#include <utility>

namespace fleetward::http {

Handler AdminHandler(const CounterRegistry& counters, std::function<Health()> health) {
  return [&counters, health = std::move(health)](const Request& request) -> Response {
    std::string path = request.target.substr(0, request.target.find('?'));
    if (request.method != "GET") return {405, {{"Allow", "GET"}}, "only GET\n"};
    if (path == "/metrics") {
      return {200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, counters.Render()};
    }
    if (path == "/healthz") {
      Health now = health();
      return {now.ok ? 200 : 503, {{"Content-Type", "text/plain; charset=utf-8"}}, now.text + "\n"};
    }
    return {404, {{"Content-Type", "text/plain"}}, "try /metrics or /healthz\n"};
  };
}

}  // namespace fleetward::http
