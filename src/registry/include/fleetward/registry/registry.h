// All registry services of one account together.
#pragma once

#include <functional>
#include <string_view>

#include "fleetward/registry/billing_groups.h"
#include "fleetward/registry/ca_certificates.h"
#include "fleetward/registry/certificates.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/custom_metrics.h"
#include "fleetward/registry/dimensions.h"
#include "fleetward/registry/dynamic_thing_groups.h"
#include "fleetward/registry/event_configurations.h"
#include "fleetward/registry/logging_options.h"
#include "fleetward/registry/policies.h"
#include "fleetward/registry/role_aliases.h"
#include "fleetward/registry/security_profiles.h"
#include "fleetward/registry/tags.h"
#include "fleetward/registry/thing_groups.h"
#include "fleetward/registry/things.h"

namespace fleetward::registry {

/// The referenced objects outlive it.
class Registry {
 public:
  Registry(Context context, const crypto::CertificateAuthority& ca, crypto::KeyGenerator& keys)
      : context_(std::move(context)), ca_(ca), keys_(keys), things(context_), thing_types(context_),
        thing_groups(context_), dynamic_thing_groups(context_), billing_groups(context_),
        certificates(context_, ca, keys), ca_certificates(context_), policies(context_), security_profiles(context_),
        custom_metrics(context_), dimensions(context_), tags(context_), role_aliases(context_), logging(context_),
        event_configurations(context_) {}
  Registry(const Registry&) = delete;

  const Context& context() const { return context_; }
  const model::Arns& arns() const { return context_.arns; }

  /// Runs `body` with a registry whose calls are all part of one transaction: all of them count, or none. `actor` goes
  /// into the history. The registry is good inside the body only; a body runs on the store's writer thread.
  Status InOneTransaction(std::string_view actor, const std::function<Status(Registry&)>& body);

 private:
  const Context context_;
  const crypto::CertificateAuthority& ca_;
  crypto::KeyGenerator& keys_;

 public:
  Things things;
  ThingTypes thing_types;
  ThingGroups thing_groups;
  DynamicThingGroups dynamic_thing_groups;
  BillingGroups billing_groups;
  Certificates certificates;
  CaCertificates ca_certificates;
  Policies policies;
  SecurityProfiles security_profiles;
  CustomMetrics custom_metrics;
  Dimensions dimensions;
  Tags tags;
  RoleAliases role_aliases;
  Logging logging;
  EventConfigurations event_configurations;
};

}  // namespace fleetward::registry
