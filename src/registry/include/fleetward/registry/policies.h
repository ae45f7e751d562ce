// Policies: documents, versions, attachments (core.md §6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/objects.h"
#include "fleetward/registry/page.h"

namespace fleetward::registry {

struct PolicyAndVersion {
  Policy policy;
  PolicyVersion version;
};

struct EffectivePolicy {
  model::PolicyName name;
  std::string document;
};

class Policies {
 public:
  explicit Policies(const Context& context) : context_(context) {}

  /// The same document again gives the existing policy. Errors: kMalformedPolicy, kAlreadyExists.
  Result<PolicyAndVersion> Create(std::string_view actor, const model::PolicyName& name, std::string_view document,
                                  const Attributes& tags = {});
  /// With the default version.
  Result<PolicyAndVersion> Get(const model::PolicyName& name) const;
  /// By time of creation; may be descending.
  Result<Page<model::PolicyName>> List(const PageRequest& page) const;
  /// Errors: kNotFound, kDeleteConflict (attached, or further versions).
  Status Delete(std::string_view actor, const model::PolicyName& name);

  /// Errors: kNotFound, kMalformedPolicy, kVersionsLimitExceeded.
  Result<PolicyAndVersion> CreateVersion(std::string_view actor, const model::PolicyName& name,
                                         std::string_view document, bool set_default);
  Result<PolicyAndVersion> GetVersion(const model::PolicyName& name, std::string_view version_id) const;
  /// Newest first.
  Result<std::vector<PolicyAndVersion>> ListVersions(const model::PolicyName& name) const;
  /// Errors: kNotFound, kDeleteConflict (the default version).
  Status DeleteVersion(std::string_view actor, const model::PolicyName& name, std::string_view version_id);
  Status SetDefaultVersion(std::string_view actor, const model::PolicyName& name, std::string_view version_id);

  /// `target` is the ARN of a certificate or thing group. Repeating is no error. Errors: kNotFound,
  /// kInvalidArgument, kLimitExceeded.
  Status Attach(std::string_view actor, const model::PolicyName& name, std::string_view target);
  /// What is not attached, or not there, is no error.
  Status Detach(std::string_view actor, const model::PolicyName& name, std::string_view target);
  /// By name; `recursive` adds the policies of a group's ancestors.
  Result<Page<model::PolicyName>> ListAttached(std::string_view target, bool recursive,
                                               const PageRequest& page) const;
  /// ARNs. `certificates_only` for the older principal calls.
  Result<Page<std::string>> ListTargets(const model::PolicyName& name, bool certificates_only,
                                        const PageRequest& page) const;

  /// What is evaluated for a client: the default versions of the policies of `principal` (the ARN of a certificate, or of
  /// a group with its ancestors) and, when `thing` is set, of its groups and their ancestors. Either may be empty. Errors: kNotFound.
  Result<std::vector<EffectivePolicy>> Effective(std::string_view principal, const std::string& thing) const;

 private:
  const Context& context_;
};

}  // namespace fleetward::registry
