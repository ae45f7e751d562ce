// Access keys and the operator log below /fleetward/v1/, and how the server's parts meet them.
#pragma once

#include "fleetward/access/key_store.h"
#include "fleetward/access/operator_log.h"
#include "fleetward/alarms/alarm_query.h"
#include "fleetward/api/core/operator_log.h"
#include "fleetward/api/core/router.h"
#include "fleetward/registry/directory.h"
#include "fleetward/registry/registry.h"

namespace fleetward::app {

/// Hands the router's entries to the durable log.
class DurableOperatorLog : public api::OperatorLog {
 public:
  explicit DurableOperatorLog(access::OperatorLog& log) : log_(log) {}
  void Record(const api::OperatorEntry& entry) override;

 private:
  access::OperatorLog& log_;
};

/// Membership as the registry's directory and the alarms know it now. References outlive the object.
class RegistryScopes : public access::ScopeDirectory {
 public:
  RegistryScopes(const registry::Directory& directory, const registry::Registry& registry, const alarms::AlarmQuery& alarms)
      : directory_(directory), registry_(registry), alarms_(alarms) {}
  bool ThingInScope(std::string_view thing_name, const access::Scope& scope) const override;
  bool GroupInScope(std::string_view group_name, const access::Scope& scope) const override;
  bool CertificateInScope(std::string_view certificate_id, const access::Scope& scope) const override;
  bool ViolationInScope(std::string_view violation_id, const access::Scope& scope) const override;

 private:
  const registry::Directory& directory_;
  const registry::Registry& registry_;
  const alarms::AlarmQuery& alarms_;
};

/// For administrators: GET keys; POST keys, keys/{id}/rotate, keys/{id}/enable, keys/{id}/disable; DELETE keys/{id};
/// GET operator-log?after=&since=&limit=. The parts outlive the router.
void RegisterAccessApi(api::Router& router, access::KeyStore& keys, const access::OperatorLog& log);

}  // namespace fleetward::app
