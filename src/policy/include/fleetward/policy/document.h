// Policy documents: strict validation and compilation into the form that the evaluator reads (core.md §6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/base/result.h"

namespace fleetward::policy {

/// Characters of a document without white space (core.md §3).
inline constexpr std::size_t kMaxDocumentChars = 2048;

/// A compiled policy: position-independent bytes which Decide reads in place; nothing is parsed per decision.
struct CompiledPolicy {
  std::string name;
  std::string body;  // format: docs/policy.md
  bool operator==(const CompiledPolicy&) const = default;
};

/// Compiles a policy document (JSON text). `name` is kept for explanations.
/// Errors: kMalformedPolicy with a message that says where ("Statement[1].Effect must be Allow or Deny").
Result<CompiledPolicy> CompilePolicy(std::string_view name, std::string_view document);

/// Validation alone; `max_characters` may be below the service's limit, never above it.
Status ValidatePolicyDocument(std::string_view document, std::size_t max_characters = kMaxDocumentChars);

/// True when a decision can depend on the time (aws:CurrentTime, aws:EpochTime), so that it must not be cached.
bool DependsOnTime(std::string_view body);

}  // namespace fleetward::policy
