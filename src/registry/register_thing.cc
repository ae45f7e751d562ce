#include "fleetward/registry/register_thing.h"

#include <algorithm>
#include <set>

#include "fleetward/crypto/certificate.h"
#include "fleetward/registry/names.h"
#include "fleetward/registry/provisioning_template.h"

namespace fleetward::registry {
namespace {

Error Conflict(const std::string& what) {
  return Error(Code::kConflict, what + " exists with other content, and the template's override is FAIL");
}

/// Carries one plan out, inside a transaction.
class Provisioner {
 public:
  Provisioner(Registry& registry, std::string_view actor) : registry_(registry), actor_(actor) {}

  Result<RegisteredThing> Run(const ProvisioningPlan& plan) {
    if (plan.certificate) FW_TRY(MakeCertificate(*plan.certificate));
    for (const PolicyResource& policy : plan.policies) FW_TRY(MakePolicy(policy));
    if (plan.thing) {
      FW_TRY(MakeThing(*plan.thing));
      if (plan.certificate) {
        FW_TRY(registry_.things.AttachPrincipal(actor_, model::ThingName(plan.thing->name), certificate_arn_));
      }
    }
    return std::move(made_);
  }

 private:
  Status MakeCertificate(const CertificateResource& wanted) {
    FW_ASSIGN(Certificate certificate, CertificateFor(wanted));
    certificate_arn_ = registry_.arns().Certificate(certificate.id.value());
    made_.certificate_pem = PemOf(certificate);
    made_.resource_arns[wanted.logical_id] = certificate_arn_;
    return {};
  }

  /// A certificate that is made here gets its status; one that exists, as the override says.
  Result<Certificate> CertificateFor(const CertificateResource& wanted) {
    CertificateStatus status = wanted.status.value_or(CertificateStatus::kInactive);
    if (!wanted.csr.empty()) {
      FW_ASSIGN(auto issued, registry_.certificates.CreateFromCsr(actor_, wanted.csr, status == CertificateStatus::kActive));
      return std::move(issued.certificate);
    }
    std::string id = wanted.id;
    if (!wanted.pem.empty()) {
      FW_ASSIGN(crypto::Certificate x509, crypto::Certificate::FromPem(wanted.pem));
      id = x509.id();
    }
    auto found = registry_.certificates.Describe(model::CertificateId(id));
    if (!found.ok() && found.error().code() == Code::kNotFound && !wanted.pem.empty()) return Register(wanted, status);
    if (!found.ok() || !wanted.status || found->status == *wanted.status) return found;
    switch (wanted.status_override) {
      case OverrideMode::kFail: return Conflict("The certificate " + id);
      case OverrideMode::kReplace:
        FW_TRY(registry_.certificates.UpdateStatus(actor_, found->id, *wanted.status));
        break;
      default: break;
    }
    return found;
  }

  Result<Certificate> Register(const CertificateResource& wanted, CertificateStatus status) {
    if (!wanted.ca_pem.empty()) return registry_.certificates.RegisterWithCa(actor_, wanted.pem, wanted.ca_pem, status);
    return registry_.certificates.RegisterWithoutCa(actor_, wanted.pem, status);
  }

  Status MakePolicy(const PolicyResource& wanted) {
    if (!IsPolicyName(wanted.name)) {
      return Error(Code::kInvalidArgument, "Resources." + wanted.logical_id + ": no policy can be named " + wanted.name);
    }
    model::PolicyName name(wanted.name);
    if (wanted.document) {
      auto created = registry_.policies.Create(actor_, name, *wanted.document);
      if (!created.ok() && created.error().code() == Code::kAlreadyExists) {
        return Error(Code::kConflict, "The policy " + wanted.name + " exists with another document");
      }
      if (!created.ok()) return std::move(created).error();
    }
    FW_TRY(registry_.policies.Attach(actor_, name, certificate_arn_));
    made_.resource_arns[wanted.logical_id] = registry_.arns().Policy(wanted.name);
    return {};
  }

  Status MakeThing(const ThingResource& wanted) {
    if (!IsThingName(wanted.name)) {
      return Error(Code::kInvalidArgument, "Resources." + wanted.logical_id + ": no thing can be named " + wanted.name);
    }
    model::ThingName name(wanted.name);
    made_.resource_arns[wanted.logical_id] = registry_.arns().Thing(wanted.name);
    auto present = registry_.things.Describe(name);
    if (present.ok()) return UpdateThing(*present, wanted);
    if (present.error().code() != Code::kNotFound) return std::move(present).error();
    FW_ASSIGN(Thing made, registry_.things.Create(actor_, {name, wanted.type.value_or(""), wanted.billing_group.value_or(""),
                                                           wanted.attributes.value_or(Attributes{})}));
    return registry_.thing_groups.UpdateForThing(actor_, made.name, wanted.groups.value_or(std::vector<std::string>()), {});
  }

  Status UpdateThing(const Thing& present, const ThingResource& wanted) {
    ThingUpdate update;
    if (wanted.type && *wanted.type != present.type) {
      if (wanted.type_override == OverrideMode::kFail) return Conflict("The thing " + wanted.name);
      if (wanted.type_override == OverrideMode::kReplace) update.type = wanted.type;
    }
    if (wanted.attributes && *wanted.attributes != present.attributes) {
      if (wanted.attributes_override == OverrideMode::kFail) return Conflict("The thing " + wanted.name);
      if (wanted.attributes_override != OverrideMode::kDoNothing) update.attributes = wanted.attributes;
      update.merge = wanted.attributes_override == OverrideMode::kMerge;
    }
    if (update.type || update.attributes) FW_TRY(registry_.things.Update(actor_, present.name, update));
    return wanted.groups ? UpdateGroups(present, wanted) : Status();
  }

  Status UpdateGroups(const Thing& present, const ThingResource& wanted) {
    if (wanted.groups_override == OverrideMode::kDoNothing) return {};
    // No thing is in more groups than one page holds.
    FW_ASSIGN(auto page, registry_.thing_groups.ListForThing(present.name, {.after = {}, .limit = 1000}));
    std::set<std::string> now, target(wanted.groups->begin(), wanted.groups->end());
    for (const model::ThingGroupName& group : page.items) now.insert(group.value());
    if (now == target) return {};
    if (wanted.groups_override == OverrideMode::kFail) return Conflict("The thing " + wanted.name);
    std::vector<std::string> add, remove;
    std::set_difference(target.begin(), target.end(), now.begin(), now.end(), std::back_inserter(add));
    if (wanted.groups_override == OverrideMode::kReplace) {
      std::set_difference(now.begin(), now.end(), target.begin(), target.end(), std::back_inserter(remove));
    }
    return registry_.thing_groups.UpdateForThing(actor_, present.name, add, remove);
  }

  Registry& registry_;
  const std::string_view actor_;
  std::string certificate_arn_;
  RegisteredThing made_;
};

}  // namespace

Result<RegisteredThing> RegisterThing(Registry& registry, std::string_view actor, std::string_view template_body,
                                      const std::map<std::string, std::string>& parameters) {
  FW_ASSIGN(ProvisioningPlan plan, ResolveTemplate(template_body, parameters));
  RegisteredThing registered;
  Status done = registry.InOneTransaction(actor, [&](Registry& inner) -> Status {
    FW_ASSIGN(registered, Provisioner(inner, actor).Run(plan));
    return {};
  });
  if (done.ok()) return registered;
  Error error = std::move(done).error();
  // The call's error list knows no more than these.
  bool own = error.code() == Code::kConflict || error.code() == Code::kUnavailable || error.code() == Code::kInternal ||
             error.code() == Code::kCorrupt || error.code() == Code::kIo;
  if (own) return error;
  return Error(Code::kInvalidArgument, error.message()).WithField("exception", "ResourceRegistrationFailureException");
}

}  // namespace fleetward::registry
