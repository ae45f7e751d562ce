#include "fleetward/api/core/router.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <unordered_map>

#include "concurrency_limit.h"
#include "errors.h"
#include "fleetward/access/authenticator.h"
#include "fleetward/api/core/operator_log.h"
#include "fleetward/api/operations.h"
#include "fleetward/base/clock.h"
#include "fleetward/base/counters.h"
#include "fleetward/base/encoding.h"
#include "fleetward/base/id128.h"
#include "fleetward/base/log.h"
#include "page_tokens.h"
#include "route_table.h"
#include "scope_rules.h"

namespace fleetward::api {
namespace {

constexpr std::string_view kReserved[] = {"/fleetward/v1/", "/console/"};

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

std::string_view QueryOf(std::string_view target) {
  std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

/// The query protocol lives at the root.
bool IsQueryProtocol(const http::Request& request) {
  return PathOf(request.target).find_first_not_of('/') == std::string_view::npos;
}

const std::string* Find(const std::vector<NameValue>& members, std::string_view name) {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

/// Signing names that fit an operation's service (D25).
bool ScopeFits(std::string_view scope, std::string_view service) {
  if (service == "iot") return scope == "iot" || scope == "execute-api";
  if (service == "iot-data") return scope == "iotdata" || scope == "iotdevicegateway";
  return scope == service;
}

bool RoleAllows(access::Role role, Access access) {
  switch (access) {
    case Access::kRead: return true;
    case Access::kAct: return role >= access::Role::kOperator;
    case Access::kConfigure: return role >= access::Role::kAdmin;
  }
  return false;
}

bool AllowsLocal(const std::optional<access::Principal>& principal, LocalAuth auth) {
  if (auth == LocalAuth::kUnsigned) return true;
  if (!principal) return false;
  switch (auth) {
    case LocalAuth::kUnsigned:
    case LocalAuth::kViewer: return true;
    case LocalAuth::kOperator: return principal->role >= access::Role::kOperator;
    case LocalAuth::kAdmin: return principal->role >= access::Role::kAdmin;
  }
  return false;
}

/// The two calls that a link in a message makes: unsigned, by GET (core.md §9); and the form of the page that asks before
/// a mail's link ends a subscription.
bool MayBeUnsigned(const http::Request& request, const OperationInfo& operation) {
  if (operation.service != "sns") return false;
  return operation.name == "Unsubscribe" || (operation.name == "ConfirmSubscription" && request.method == "GET");
}

/// Browsers name text/html before XML; tools name it not at all.
bool PrefersHtml(const http::Request& request) {
  const std::string* accept = request.FindHeader("accept");
  if (!accept) return false;
  std::size_t html = accept->find("text/html");
  return html != std::string::npos && html < std::min(accept->find("text/xml"), accept->find("application/xml"));
}

/// Nothing on the page may load or run anything.
void PutHtml(http::Response& response, std::string body) {
  std::erase_if(response.headers, [](const http::Header& h) { return http::SameHeaderName(h.first, "Content-Type"); });
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.body = std::move(body);
}

std::string_view NamespaceOf(std::string_view service) {
  return service == "sts" ? "https://sts.amazonaws.com/doc/2011-06-15/" : "http://sns.amazonaws.com/doc/2010-03-31/";
}

}  // namespace

struct Router::State {
  /// A handled operation.
  struct Entry {
    Bound handler;
    std::unique_ptr<ConcurrencyLimit> limit;
    HtmlPage page;
    Counter* ok = nullptr;
    Counter* client_error = nullptr;
    Counter* server_error = nullptr;
  };
  struct Local {
    std::string prefix;
    LocalAuth auth;
    LocalHandler handler;
    LocalScope scope;
  };
  /// One call on its way.
  struct Call {
    const http::Request& request;
    CallContext context;
    ErrorForm form = ErrorForm::kJson;
    RequestParts parts;
    std::string scope_service;
    std::string exception;  // of the answer, for the operator log
  };

  explicit State(RouterOptions o) : options(std::move(o)), tokens(options.page_token_key) {}

  void AddOperation(const OperationInfo& operation);
  const Local* FindLocal(std::string_view path) const;
  bool Reserved(std::string_view path) const;
  Status Resolve(Call& call) const;
  Status ResolveQuery(Call& call) const;
  Status ResolveRest(Call& call) const;
  std::optional<http::Response> Authenticate(Call& call) const;
  http::Response Fail(Call& call, const Error& error) const;
  http::Response ServeLocal(Call& call, const Local* local) const;
  http::Response ServeOperation(Call& call) const;
  Status Permit(const Call& call) const;
  Status Run(Call& call, ResponseParts& out) const;
  http::Response Frame(const Call& call, ResponseParts out) const;
  bool LocalInScope(const Call& call, const Local& local) const;
  void Record(const Call& call, int status) const;
  void RecordLocal(const Call& call, const Local& local, int status) const;
  void RecordRefused(const Call& call, std::string_view key, const ApiError& error) const;
  void Write(OperatorEntry entry, const Call& call, int status) const;

  RouterOptions options;
  PageTokens tokens;
  RouteTable routes;
  std::unordered_map<std::string_view, std::vector<const OperationInfo*>> actions;  // query protocol, by name
  std::unordered_map<const OperationInfo*, Entry> entries;
  std::vector<Local> locals;
  mutable std::atomic<std::int64_t> refused_second{0};
  mutable std::atomic<int> refused_in_second{0};
};

void Router::State::AddOperation(const OperationInfo& operation) {
  routes.Add(operation);
  if (operation.protocol == Protocol::kQuery) actions[operation.name].push_back(&operation);
}

const Router::State::Local* Router::State::FindLocal(std::string_view path) const {
  const Local* best = nullptr;
  for (const Local& local : locals) {
    if (path.starts_with(local.prefix) && (!best || local.prefix.size() > best->prefix.size())) best = &local;
  }
  return best;
}

bool Router::State::Reserved(std::string_view path) const {
  return std::any_of(std::begin(kReserved), std::end(kReserved),
                     [path](std::string_view prefix) { return path.starts_with(prefix); });
}

// --- routing ---

Status Router::State::ResolveQuery(Call& call) const {
  const http::Request& request = call.request;
  bool get = request.method == "GET";
  if (!get && request.method != "POST") return Error(Code::kNotOffered, "The root takes GET and POST only");
  FW_ASSIGN(call.parts.query, DecodeForm(get ? QueryOf(request.target) : std::string_view(request.body)));
  const std::string* action = Find(call.parts.query, "Action");
  if (!action) return Error(Code::kNotOffered, "The parameter Action is missing");
  auto found = actions.find(*action);
  if (found == actions.end()) {
    return Error(Code::kNotOffered, "The action " + action->substr(0, 100) + " is not valid for this endpoint");
  }
  // An action name may exist in both query services; the version tells them apart.
  const std::string* version = Find(call.parts.query, "Version");
  bool sts = version && *version == "2011-06-15";
  call.context.operation = found->second.front();
  for (const OperationInfo* operation : found->second) {
    if ((operation->service == "sts") == sts) call.context.operation = operation;
  }
  std::erase_if(call.parts.query, [](const NameValue& member) {
    return member.first == "Action" || member.first == "Version" || member.first.starts_with("X-Amz-");
  });
  return {};
}

Status Router::State::ResolveRest(Call& call) const {
  FW_ASSIGN(RouteMatch match, routes.Match(call.request.method, PathOf(call.request.target)));
  call.context.operation = match.operation;
  call.parts.labels = std::move(match.labels);
  FW_ASSIGN(call.parts.query, DecodeForm(QueryOf(call.request.target)));
  return {};
}

/// Finds the operation; null without an error when the path names none.
Status Router::State::Resolve(Call& call) const {
  call.parts.headers = call.request.headers;
  call.parts.body = call.request.body;
  return call.form == ErrorForm::kXml ? ResolveQuery(call) : ResolveRest(call);
}

// --- who may ---

std::optional<http::Response> Router::State::Authenticate(Call& call) const {
  const http::Request& request = call.request;
  crypto::HttpCall view{request.method, request.target, request.headers, request.body};
  auto verdict = options.authenticator->Authenticate(view);
  if (auto* known = std::get_if<access::Authenticated>(&verdict)) {
    call.context.principal = known->principal;
    call.scope_service = known->service;
    return std::nullopt;
  }
  const auto& failure = std::get<access::AuthFailure>(verdict);
  ApiError error = ExceptionOf(failure.fault, call.form);
  if (options.counters) {
    options.counters
        ->AddCounter("fleetward_api_refused_total", "Calls refused before routing, by exception",
                     "exception=\"" + std::string(error.exception) + "\"")
        .Add();
  }
  log::Debug("call_refused", {{"from", request.remote_address},
                              {"key", failure.access_key_id},
                              {"exception", error.exception},
                              {"why", failure.detail.empty() ? failure.message : failure.detail}});
  RecordRefused(call, failure.access_key_id, error);
  return ErrorResponse(error, failure.message, {}, call.form, call.context.request_id);
}

Status Router::State::Permit(const Call& call) const {
  const OperationInfo& operation = *call.context.operation;
  if (call.context.principal && !RoleAllows(call.context.principal->role, operation.access)) {
    return Error(Code::kPermissionDenied, "The access key " + call.context.principal->access_key_id + " has the role " +
                                              std::string(access::RoleName(call.context.principal->role)) +
                                              ", which does not allow " + std::string(operation.service) + ":" +
                                              std::string(operation.name));
  }
  if (call.context.principal && call.context.principal->scope &&
      !InScope(operation, call.parts, *call.context.principal->scope, options.scopes)) {
    // The same words whether the thing exists or not.
    return Error(Code::kPermissionDenied, "The access key " + call.context.principal->access_key_id +
                                              " is scoped to thing groups, which does not allow this call of " +
                                              std::string(operation.service) + ":" + std::string(operation.name));
  }
  return {};
}

bool Router::State::LocalInScope(const Call& call, const Local& local) const {
  if (local.auth == LocalAuth::kUnsigned || !call.context.principal || !call.context.principal->scope) return true;
  if (local.scope != LocalScope::kThingInPath || options.scopes == nullptr) return false;
  std::string_view path = PathOf(call.request.target);
  auto thing = PercentDecode(path.substr(std::min(local.prefix.size(), path.size())));
  return thing && options.scopes->ThingInScope(*thing, *call.context.principal->scope);
}

// --- answering ---

http::Response Router::State::Fail(Call& call, const Error& error) const {
  ApiError api = ExceptionOf(error, call.context.operation, call.form);
  call.exception = api.exception;
  if (api.status >= 500) {
    log::Warning("call_failed", {{"request", call.context.request_id},
                                 {"operation", call.context.operation ? call.context.operation->name : ""},
                                 {"error", error.ToString()}});
  }
  return ErrorResponse(api, PublicMessage(error), error.fields(), call.form, call.context.request_id);
}

http::Response Router::State::Frame(const Call& call, ResponseParts out) const {
  const OperationInfo& operation = *call.context.operation;
  http::Response response;
  response.status = out.status;
  response.headers = std::move(out.headers);
  response.headers.emplace_back("x-amzn-RequestId", call.context.request_id);
  if (operation.protocol == Protocol::kRestJson) {
    response.headers.emplace_back("Content-Type", "application/json");
    response.body = std::move(out.body);
    return response;
  }
  response.headers.emplace_back("Content-Type", "text/xml");
  std::string name(operation.name), wrapper(operation.result_wrapper);
  response.body = "<" + name + "Response xmlns=\"" + std::string(NamespaceOf(operation.service)) + "\">";
  if (!wrapper.empty()) response.body += "<" + wrapper + ">" + out.body + "</" + wrapper + ">";
  response.body += "<ResponseMetadata><RequestId>" + call.context.request_id + "</RequestId></ResponseMetadata></" +
                   name + "Response>";
  return response;
}

Status Router::State::Run(Call& call, ResponseParts& out) const {
  auto found = entries.find(call.context.operation);
  if (found == entries.end() || !found->second.handler) {
    return Error(Code::kNotOffered, "Fleetward does not offer the operation " +
                                        std::string(call.context.operation->service) + ":" +
                                        std::string(call.context.operation->name));
  }
  const Entry& entry = found->second;
  if (entry.limit && !entry.limit->Enter()) {
    return Error(Code::kThrottled, "Too many calls of " + std::string(call.context.operation->name) + " at once");
  }
  Status status;
  try {
    status = entry.handler(call.context, call.parts, out);
  } catch (const std::exception& fault) {
    status = Error(Code::kInternal, fault.what());
  }
  if (entry.limit) entry.limit->Leave();
  if (entry.ok) {
    int code = status.ok() ? 200 : ExceptionOf(status.error(), call.context.operation, call.form).status;
    (code < 400 ? entry.ok : code < 500 ? entry.client_error : entry.server_error)->Add();
  }
  return status;
}

void Router::State::Record(const Call& call, int status) const {
  const OperationInfo& operation = *call.context.operation;
  if (!options.operator_log || (operation.access == Access::kRead && status != 403)) return;
  OperatorEntry entry;
  entry.service = operation.service;
  entry.operation = operation.name;
  entry.target = call.request.method + " " + std::string(PathOf(call.request.target));
  // The query protocol has no paths: what it acts on is a member of its form. Never a token.
  if (operation.protocol == Protocol::kQuery) {
    for (const char* name : {"TopicArn", "SubscriptionArn", "ResourceArn", "TargetArn", "Name"}) {
      if (const std::string* value = Find(call.parts.query, name)) {
        entry.target = *value;
        break;
      }
    }
  }
  Write(std::move(entry), call, status);
}

void Router::State::Write(OperatorEntry entry, const Call& call, int status) const {
  entry.time = call.context.now;
  entry.request_id = call.context.request_id;
  if (call.context.principal) {
    entry.access_key_id = call.context.principal->access_key_id;
    entry.role = access::RoleName(call.context.principal->role);
  }
  entry.remote_address = call.context.remote_address;
  entry.status = status;
  if (entry.exception.empty()) entry.exception = call.exception;
  options.operator_log->Record(entry);
}

void Router::State::RecordLocal(const Call& call, const Local& local, int status) const {
  if (!options.operator_log || (call.request.method == "GET" && status != 403)) return;
  OperatorEntry entry;
  entry.service = "fleetward";
  std::string_view name = std::string_view(local.prefix).substr(0, local.prefix.find_last_not_of('/') + 1);
  entry.operation = name.substr(name.rfind('/') + 1);
  entry.target = call.request.method + " " + std::string(PathOf(call.request.target));
  Write(std::move(entry), call, status);
}

/// Calls whose signature was refused, under a key's name; strangers must not fill the disk with them.
void Router::State::RecordRefused(const Call& call, std::string_view key, const ApiError& error) const {
  if (!options.operator_log || key.empty() || error.status != 403) return;
  constexpr int kPerSecond = 10;
  std::int64_t second = ToMillis(call.context.now) / 1000;
  if (refused_second.exchange(second) != second) refused_in_second = 0;
  if (refused_in_second.fetch_add(1) >= kPerSecond) return;
  OperatorEntry entry;
  entry.access_key_id = key.substr(0, 128);
  entry.service = "access";
  entry.operation = "Authenticate";
  entry.target = call.request.method + " " + std::string(PathOf(call.request.target));
  entry.exception = error.exception;
  Write(std::move(entry), call, error.status);
}

http::Response Router::State::ServeOperation(Call& call) const {
  Status resolved = Resolve(call);
  const OperationInfo* operation = call.context.operation;
  bool unsigned_call = operation && MayBeUnsigned(call.request, *operation) &&
                       !call.request.FindHeader("authorization") &&
                       call.request.target.find("X-Amz-Signature=") == std::string::npos;
  // Authentication comes before anything that an answer could tell about routes (D24).
  if (!unsigned_call) {
    if (std::optional<http::Response> refused = Authenticate(call)) return std::move(*refused);
  }
  if (!resolved.ok()) return Fail(call, resolved.error());
  if (!operation) {
    return ErrorResponse({"UnknownOperationException", 404},
                         "There is no operation " + call.request.method + " " +
                             std::string(PathOf(call.request.target).substr(0, 200)),
                         {}, call.form, call.context.request_id);
  }
  if (!unsigned_call && !ScopeFits(call.scope_service, operation->service)) {
    ApiError error = ExceptionOf(access::AuthFault::kInvalidSignature, call.form);
    return ErrorResponse(error, "Credential should be scoped to the service of " + std::string(operation->name) + ".",
                         {}, call.form, call.context.request_id);
  }
  ResponseParts out;
  Status status = Permit(call);
  if (status.ok()) status = Run(call, out);
  http::Response response = status.ok() ? Frame(call, std::move(out)) : Fail(call, status.error());
  auto entry = entries.find(operation);
  bool asks = !status.ok() && status.error().fields().contains("ask");
  if (asks) response.status = 200;
  if (unsigned_call && entry != entries.end() && entry->second.page && (asks || PrefersHtml(call.request))) {
    PutHtml(response, entry->second.page(status.ok() ? nullptr : &status.error()));
  }
  Record(call, response.status);
  return response;
}

http::Response Router::State::ServeLocal(Call& call, const Local* local) const {
  bool is_signed = call.request.FindHeader("authorization") != nullptr;
  if (!local || local->auth != LocalAuth::kUnsigned || is_signed) {
    if (std::optional<http::Response> refused = Authenticate(call)) return std::move(*refused);
  }
  if (!local) return Fail(call, Error(Code::kNotFound, "There is nothing at this address"));
  if (!AllowsLocal(call.context.principal, local->auth) || !LocalInScope(call, *local)) {
    http::Response denied =
        Fail(call, Error(Code::kPermissionDenied, "The role or scope of this access key does not allow this call"));
    RecordLocal(call, *local, denied.status);
    return denied;
  }
  try {
    http::Response response = local->handler(call.context, call.request);
    RecordLocal(call, *local, response.status);
    response.headers.emplace_back("x-amzn-RequestId", call.context.request_id);
    return response;
  } catch (const std::exception& fault) {
    return Fail(call, Error(Code::kInternal, fault.what()));
  }
}

// --- the router ---

Router::Router(RouterOptions options) : state_(std::make_unique<State>(std::move(options))) {
  for (const OperationInfo* operation : OfferedOperations()) state_->AddOperation(*operation);
  for (const OperationInfo& operation : OperationsNotOffered()) state_->AddOperation(operation);
}
Router::~Router() = default;

void Router::Register(const OperationInfo& operation, Bound handler) {
  State::Entry& entry = state_->entries[&operation];
  entry.handler = std::move(handler);
  if (CounterRegistry* counters = state_->options.counters) {
    auto counter = [&](const char* result) {
      std::string labels = "operation=\"" + std::string(operation.service) + ":" + std::string(operation.name) +
                           "\",result=\"" + result + "\"";
      return &counters->AddCounter("fleetward_api_calls_total", "Calls of API operations, by result", labels);
    };
    entry.ok = counter("ok");
    entry.client_error = counter("client_error");
    entry.server_error = counter("server_error");
  }
}

bool Router::Handles(const OperationInfo& operation) const {
  auto found = state_->entries.find(&operation);
  return found != state_->entries.end() && found->second.handler;
}

void Router::Limit(const OperationInfo& operation, int running, int waiting) {
  state_->entries[&operation].limit = std::make_unique<ConcurrencyLimit>(running, waiting);
}

void Router::SetPage(const OperationInfo& operation, HtmlPage page) {
  state_->entries[&operation].page = std::move(page);
}

void Router::HandleLocal(std::string prefix, LocalAuth auth, LocalHandler handler, LocalScope scope) {
  state_->locals.push_back({std::move(prefix), auth, std::move(handler), scope});
}

http::Response Router::Serve(const http::Request& request) const {
  const RouterOptions& options = state_->options;
  State::Call call{request, {}, ErrorForm::kJson, {}, {}, {}};
  call.context.arns = model::Arns(options.region, model::AccountId(options.account_id));
  call.context.request_id = Id128::Random().Uuid();
  call.context.remote_address = request.remote_address;
  call.context.now = options.clock->Now();
  call.context.page_tokens = &state_->tokens;
  std::string_view path = PathOf(request.target);
  const State::Local* local = state_->FindLocal(path);
  if (local || state_->Reserved(path)) return state_->ServeLocal(call, local);
  if (IsQueryProtocol(request)) call.form = ErrorForm::kXml;
  return state_->ServeOperation(call);
}

}  // namespace fleetward::api
