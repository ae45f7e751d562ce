// All registry services of one account together.
#pragma once

#include "fleetward/registry/ca_certificates.h"
#include "fleetward/registry/certificates.h"
#include "fleetward/registry/context.h"
#include "fleetward/registry/custom_metrics.h"
#include "fleetward/registry/dimensions.h"
#include "fleetward/registry/dynamic_thing_groups.h"
#include "fleetward/registry/policies.h"
#include "fleetward/registry/security_profiles.h"
#include "fleetward/registry/thing_groups.h"
#include "fleetward/registry/things.h"

namespace fleetward::registry {

/// The referenced objects outlive it.
class Registry {
 public:
  Registry(Context context, const crypto::CertificateAuthority& ca, crypto::KeyGenerator& keys)
      : context_(std::move(context)), things(context_), thing_types(context_), thing_groups(context_), dynamic_thing_groups(context_),
        certificates(context_, ca, keys), ca_certificates(context_), policies(context_), security_profiles(context_),
        custom_metrics(context_), dimensions(context_) {}
  Registry(const Registry&) = delete;

  const Context& context() const { return context_; }
  const model::Arns& arns() const { return context_.arns; }

 private:
  const Context context_;

 public:
  Things things;
  ThingTypes thing_types;
  ThingGroups thing_groups;
  DynamicThingGroups dynamic_thing_groups;
  Certificates certificates;
  CaCertificates ca_certificates;
  Policies policies;
  SecurityProfiles security_profiles;
  CustomMetrics custom_metrics;
  Dimensions dimensions;
};

}  // namespace fleetward::registry
