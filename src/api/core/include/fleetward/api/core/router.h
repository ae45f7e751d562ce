// From an HTTP request to a typed handler and back: authentication, limits, routing, parsing, errors.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fleetward/api/codec/message.h"
#include "fleetward/api/codec/operation.h"
#include "fleetward/api/core/call_context.h"
#include "fleetward/base/result.h"
#include "fleetward/http/message.h"

namespace fleetward {
class Clock;
class CounterRegistry;
}  // namespace fleetward

namespace fleetward::access {
class Authenticator;
class ScopeDirectory;
}

namespace fleetward::api {

class OperatorLog;

struct RouterOptions {
  std::string account_id;                 // 12 digits
  std::string region;                     // of ARNs; a real region name also when any scope is accepted
  std::string page_token_key;             // 32 secret bytes, the same over restarts
  access::Authenticator* authenticator = nullptr;  // outlives the router
  OperatorLog* operator_log = nullptr;             // may be null
  const access::ScopeDirectory* scopes = nullptr;  // null: scoped keys may do nothing
  const Clock* clock = nullptr;                    // outlives the router
  CounterRegistry* counters = nullptr;             // may be null
};

/// Who may call a local endpoint.
enum class LocalAuth : std::uint8_t { kUnsigned, kViewer, kOperator, kAdmin };

/// What a scoped key may call of the local endpoints: nothing, or those whose path ends in a thing's name that lies in
/// its scope.
enum class LocalScope : std::uint8_t { kNone, kThingInPath };

/// A local endpoint's handler. `context.operation` is null.
using LocalHandler = std::function<http::Response(const CallContext& context, const http::Request& request)>;

/// Register everything first, then serve: Serve is thread-safe, registration is not.
class Router {
 public:
  explicit Router(RouterOptions options);
  ~Router();

  /// Registers the handler of a generated operation:
  ///   router.Handle<iot::CreateThing>([&](const CallContext& c, const iot::CreateThingRequest& r) -> Result<…> {…});
  template <class Operation, class HandlerFunction>
  void Handle(HandlerFunction handler) {
    Register(Operation::kInfo, [handler = std::move(handler)](const CallContext& context, const RequestParts& parts,
                                                              ResponseParts& out) -> Status {
      typename Operation::Request request;
      FW_TRY(Operation::ParseRequest(parts, request));
      Result<typename Operation::Response> response = handler(context, request);
      if (!response.ok()) return std::move(response).error();
      Operation::WriteResponse(response.value(), out);
      return {};
    });
  }

  /// At most `running` calls of an operation at once and `waiting` behind them; the rest is throttled (threats.md r).
  template <class Operation>
  void LimitConcurrency(int running, int waiting) {
    Limit(Operation::kInfo, running, waiting);
  }

  /// What people see who open an operation's link in a browser: the body of the answer to an unsigned GET that prefers
  /// text/html. `error` is null when the call went well. The page escapes what it shows.
  using HtmlPage = std::function<std::string(const Error* error)>;
  template <class Operation>
  void ShowPage(HtmlPage page) {
    SetPage(Operation::kInfo, std::move(page));
  }

  /// Everything under a reserved prefix ("/fleetward/v1/status", "/console/"); the longest prefix wins. Reserved
  /// prefixes without a handler answer 404.
  void HandleLocal(std::string prefix, LocalAuth auth, LocalHandler handler, LocalScope scope = LocalScope::kNone);

  /// Whether the operation has a handler; without one it is answered "not offered".
  bool Handles(const OperationInfo& operation) const;

  /// Answers any request; never fails, never throws.
  http::Response Serve(const http::Request& request) const;

 private:
  using Bound = std::function<Status(const CallContext&, const RequestParts&, ResponseParts&)>;
  void Register(const OperationInfo& operation, Bound handler);
  void Limit(const OperationInfo& operation, int running, int waiting);
  void SetPage(const OperationInfo& operation, HtmlPage page);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fleetward::api
