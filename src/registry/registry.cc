#include "fleetward/registry/registry.h"

#include "fleetward/store/nested_store.h"

namespace fleetward::registry {

Status Registry::InOneTransaction(std::string_view actor, const std::function<Status(Registry&)>& body) {
  NoEnforcement later;  // the brokers are waited for once, behind the whole transaction
  Status done = context_.store.Write(actor, [&](store::Transaction& tx) -> Status {
    store::NestedStore nested(tx);
    Registry inner(Context{nested, context_.clock, context_.arns, context_.quotas, context_.changes, later}, ca_, keys_);
    return nested.Row([&] { return body(inner); });
  });
  if (done.ok()) context_.enforcement.Settle();
  return done;
}

}  // namespace fleetward::registry
