#include "access_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"
#include "fleetward/policy/snapshot.h"

namespace fleetward::app {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kKeysPath = "/fleetward/v1/keys";
constexpr std::size_t kMaxActions = 1000;

http::Response Answer(int status, const ordered_json& body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return response;
}

http::Response Fault(const Error& error) {
  int status = 400;
  if (error.code() == Code::kNotFound) status = 404;
  if (error.code() == Code::kConflict || error.code() == Code::kInvalidState) status = 409;
  if (error.code() == Code::kUnavailable || error.code() == Code::kIo) status = 503;
  return Answer(status, {{"message", error.message()}});
}

ordered_json ToJson(const access::AccessKey& key) {
  ordered_json j = {{"accessKeyId", key.id}, {"role", access::RoleName(key.role)}, {"active", key.active},
                    {"thingGroups", key.scope}, {"description", key.description}, {"created", Iso8601(key.created)}};
  j["lastUsed"] = key.last_used ? ordered_json(Iso8601(*key.last_used)) : ordered_json();
  j["expires"] = key.expires ? ordered_json(Iso8601(*key.expires)) : ordered_json();
  return j;
}

http::Response Shown(const Result<access::NewAccessKey>& made) {
  if (!made.ok()) return Fault(made.error());
  return Answer(200, {{"accessKeyId", made->id}, {"secretAccessKey", made->secret}});
}

Result<access::KeyOptions> OptionsOf(const nlohmann::json& body, Timestamp now) {
  access::KeyOptions options;
  auto bad = [](const char* why) { return Error(Code::kInvalidArgument, why); };
  if (!body.is_object()) return bad("the body must be a JSON object");
  for (const auto& [name, value] : body.items()) {
    if (name == "role" && value.is_string()) {
      auto role = access::ParseRole(value.get<std::string>());
      if (!role) return bad("role must be admin, operator or viewer");
      options.role = *role;
    } else if (name == "description" && value.is_string()) {
      options.description = value.get<std::string>();
    } else if (name == "expiresInSeconds" && value.is_number_unsigned() && value.get<std::uint64_t>() <= 3153600000ULL) {
      options.expires = now + std::chrono::seconds(value.get<std::int64_t>());
    } else if (name == "thingGroups" && value.is_array()) {
      for (const auto& group : value) {
        if (!group.is_string()) return bad("thingGroups must be a list of names");
        options.scope.push_back(group.get<std::string>());
      }
    } else {
      return bad("members are role, description, thingGroups and expiresInSeconds");
    }
  }
  if (!body.contains("role")) return bad("role is missing");
  return options;
}

http::Response ListKeys(const access::KeyStore& keys) {
  auto list = keys.List();
  if (!list.ok()) return Fault(list.error());
  ordered_json j = {{"keys", ordered_json::array()}};
  for (const access::AccessKey& key : *list) j["keys"].push_back(ToJson(key));
  return Answer(200, j);
}

http::Response Rotate(access::KeyStore& keys, const std::string& id, const std::string& body, const std::string& actor) {
  auto parsed = body.empty() ? nlohmann::json::object() : nlohmann::json::parse(body, nullptr, false);
  auto grace = parsed.is_object() ? parsed.value("graceSeconds", nlohmann::json(86400)) : nlohmann::json();
  if (!grace.is_number_unsigned() || grace.get<std::uint64_t>() > 31536000ULL) {
    return Answer(400, {{"message", "graceSeconds must be a number from 0 to 31536000"}});
  }
  return Shown(keys.Rotate(id, std::chrono::seconds(grace.get<std::int64_t>()), actor));
}

http::Response ServeKeys(access::KeyStore& keys, const api::CallContext& context, const http::Request& request) {
  std::string path = request.target.substr(0, request.target.find('?'));
  std::string rest = path.substr(kKeysPath.size());
  std::string actor = context.principal ? context.principal->access_key_id : "-";
  if (rest.empty()) {
    if (request.method == "GET") return ListKeys(keys);
    if (request.method != "POST") return Answer(405, {{"message", "use GET or POST"}});
    auto options = OptionsOf(nlohmann::json::parse(request.body, nullptr, false), context.now);
    if (!options.ok()) return Fault(options.error());
    return Shown(keys.Create(*options, actor));
  }
  if (rest.front() != '/') return Answer(404, {{"message", "there is nothing at this address"}});
  std::size_t slash = rest.find('/', 1);
  std::string id = rest.substr(1, slash == std::string::npos ? slash : slash - 1);
  std::string action = slash == std::string::npos ? "" : rest.substr(slash + 1);
  Status done;
  if (request.method == "DELETE" && action.empty()) {
    done = keys.Delete(id, actor);
  } else if (request.method == "POST" && action == "rotate") {
    return Rotate(keys, id, request.body, actor);
  } else if (request.method == "POST" && (action == "enable" || action == "disable")) {
    done = keys.SetActive(id, action == "enable", actor);
  } else {
    return Answer(405, {{"message", "use DELETE keys/ID, or POST keys/ID/rotate, /enable, /disable"}});
  }
  return done.ok() ? Answer(200, ordered_json::object()) : Fault(done.error());
}

// A number of the query string, or 0.
std::int64_t Number(const http::Request& request, std::string_view name) {
  std::string key = std::string(name) + '=';
  std::size_t mark = request.target.find('?');
  while (mark != std::string::npos) {
    std::string_view pair = std::string_view(request.target).substr(mark + 1);
    if (pair.starts_with(key)) {
      std::int64_t value = 0;
      std::from_chars(pair.data() + key.size(), pair.data() + pair.size(), value);
      return std::max<std::int64_t>(0, value);
    }
    mark = request.target.find('&', mark + 1);
  }
  return 0;
}

http::Response ServeLog(const access::OperatorLog& log, const http::Request& request) {
  std::int64_t limit = Number(request, "limit");
  auto actions = log.Read(static_cast<std::uint64_t>(Number(request, "after")), FromMillis(Number(request, "since")),
                          limit > 0 ? std::min<std::size_t>(static_cast<std::size_t>(limit), kMaxActions) : kMaxActions);
  if (!actions.ok()) return Fault(actions.error());
  ordered_json j = {{"actions", ordered_json::array()}};
  for (const access::OperatorAction& action : *actions) {
    j["actions"].push_back(ordered_json::parse(access::OperatorActionLine(action)));
  }
  return Answer(200, j);
}

}  // namespace

void DurableOperatorLog::Record(const api::OperatorEntry& entry) {
  access::OperatorAction action;
  action.time = entry.time;
  action.access_key_id = entry.access_key_id;
  action.role = entry.role;
  action.remote_address = entry.remote_address;
  action.operation = entry.service + ':' + entry.operation;
  action.target = entry.target;
  action.status = entry.status;
  action.exception = entry.exception;
  action.request_id = entry.request_id;
  log_.Record(std::move(action));
}

bool RegistryScopes::ThingInScope(std::string_view thing_name, const access::Scope& scope) const {
  auto groups = directory_.GroupsOf(thing_name);
  return std::any_of(groups.begin(), groups.end(), [&](const model::ThingGroupName& group) {
    return std::find(scope.thing_groups.begin(), scope.thing_groups.end(), group.value()) != scope.thing_groups.end();
  });
}

bool RegistryScopes::GroupInScope(std::string_view group_name, const access::Scope& scope) const {
  auto holds = [&](const std::string& name) {
    return std::find(scope.thing_groups.begin(), scope.thing_groups.end(), name) != scope.thing_groups.end();
  };
  auto group = registry_.thing_groups.Describe(model::ThingGroupName(std::string(group_name)));
  if (!group.ok()) return false;
  return holds(std::string(group_name)) ||
         std::any_of(group->root_to_parent.begin(), group->root_to_parent.end(),
                     [&](const model::ThingGroupName& parent) { return holds(parent.value()); });
}

bool RegistryScopes::CertificateInScope(std::string_view certificate_id, const access::Scope& scope) const {
  auto fingerprint = policy::FingerprintOf(certificate_id);
  auto certificate = fingerprint ? directory_.FindCertificate(*fingerprint) : std::nullopt;
  return certificate && !certificate->things.empty() &&
         std::all_of(certificate->things.begin(), certificate->things.end(),
                     [&](const model::ThingName& thing) { return ThingInScope(thing.value(), scope); });
}

bool RegistryScopes::ViolationInScope(std::string_view violation_id, const access::Scope& scope) const {
  auto id = Id128::Parse(violation_id);
  if (!id) return false;
  auto violation = alarms_.FindActive(*id);
  return violation.ok() && *violation && ThingInScope((*violation)->thing_name.value(), scope);
}

void RegisterAccessApi(api::Router& router, access::KeyStore& keys, const access::OperatorLog& log) {
  router.HandleLocal(std::string(kKeysPath), api::LocalAuth::kAdmin,
                     [&keys](const api::CallContext& context, const http::Request& request) {
                       return ServeKeys(keys, context, request);
                     });
  router.HandleLocal("/fleetward/v1/operator-log", api::LocalAuth::kAdmin,
                     [&log](const api::CallContext&, const http::Request& request) { return ServeLog(log, request); });
}

}  // namespace fleetward::app
