// Which operations a scoped key may call, and what of the call must lie in the scope (threats.md q). An operation that is not
// in the table is denied. docs/access.md shows the table; a test compares. Private.
#pragma once

#include <span>
#include <string_view>

#include "fleetward/access/principal.h"
#include "fleetward/api/codec/message.h"
#include "fleetward/api/codec/operation.h"

namespace fleetward::api {

enum class ScopedBy : std::uint8_t { kNothing, kThing, kThingGroup, kCertificate, kViolation };

struct ScopeRule {
  std::string_view service;
  std::string_view operation;
  ScopedBy by = ScopedBy::kThing;
  std::string_view member;  // label or query member that names it; it must be given
};

std::span<const ScopeRule> ScopeRules();

/// Whether a call lies in the scope. Depends on nothing outside of it: what does not exist is not in it.
bool InScope(const OperationInfo& operation, const RequestParts& parts, const access::Scope& scope,
             const access::ScopeDirectory* directory);

}  // namespace fleetward::api
