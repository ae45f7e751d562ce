#include "fleetward/registry/registry.h"

namespace fleetward::registry {
namespace {

/// A store whose writes are steps of a transaction that is already open. A failed step leaves it to the owner to fail
/// as a whole.
class OpenTransaction final : public store::ControlStore {
 public:
  explicit OpenTransaction(store::Transaction& tx) : tx_(tx) {}
  Status Write(std::string_view, const WriteBody& body) override { return body(tx_); }
  Status Read(const ReadBody& body) const override { return body(tx_); }

 private:
  store::Transaction& tx_;
};

}  // namespace

Status Registry::InOneTransaction(std::string_view actor, const std::function<Status(Registry&)>& body) {
  Status done = context_.store.Write(actor, [&](store::Transaction& tx) -> Status {
    OpenTransaction store(tx);
    NoEnforcement later;
    Registry inner(Context{store, context_.clock, context_.arns, context_.quotas, context_.changes, later}, ca_, keys_);
    return body(inner);
  });
  if (done.ok()) context_.enforcement.Settle();
  return done;
}

}  // namespace fleetward::registry
