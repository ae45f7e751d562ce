#include "fleetward/registry/authorization.h"

#include <set>

#include "access.h"
#include "effective.h"
#include "fleetward/policy/document.h"

namespace fleetward::registry {

struct Authorization::State {
  std::vector<std::string> names;
  std::vector<policy::CompiledPolicy> compiled;
  std::vector<policy::PolicyRef> refs;  // views into `compiled`
  // What Facts views.
  std::string region, account, client_id, certificate_id, serial, certificate_attributes;
  std::string thing_name, thing_type, thing_attributes;
  Timestamp now{};

  Status Read(ConstReader reader, const Context& context, const AuthorizationSubject& subject);
  Status ReadThing(ConstReader reader, std::set<std::string>& policies);
};

Status Authorization::State::ReadThing(ConstReader reader, std::set<std::string>& policies) {
  FW_ASSIGN(auto thing, FindThing(reader, client_id));
  if (!thing) return {};
  FW_ASSIGN(bool attached, HasLink(reader, kPrincipalThings, certificate_id, client_id));
  if (!attached) return {};
  thing_name = client_id;
  thing_type = thing->type;
  thing_attributes = policy::EncodeThingAttributes(thing->attributes);
  return AddPoliciesOfThing(reader, client_id, policies);
}

Status Authorization::State::Read(ConstReader reader, const Context& context, const AuthorizationSubject& subject) {
  std::set<std::string> policies;
  if (!subject.principal.empty()) {
    FW_ASSIGN(PolicyTarget target, ParsePolicyTarget(context.arns, subject.principal));
    FW_TRY(CheckTargetExists(reader, target));
    if (target.type == "cert") {
      FW_ASSIGN(Certificate certificate, GetCertificate(reader, target.id));
      certificate_id = target.id;
      serial = certificate.serial;
      certificate_attributes = certificate.policy_facts;
      FW_TRY(AddPoliciesOfTarget(reader, target.key, policies));
      if (!client_id.empty()) FW_TRY(ReadThing(reader, policies));
    } else {
      FW_TRY(AddPoliciesOfGroup(reader, target.id, policies));
    }
  }
  for (const std::string& name : subject.skip) policies.erase(name);
  for (const std::string& name : subject.add) {
    FW_TRY(GetPolicy(reader, name));
    policies.insert(name);
  }
  for (const std::string& name : policies) {
    FW_ASSIGN(Policy policy, GetPolicy(reader, name));
    FW_ASSIGN(auto version, FindPolicyVersion(reader, name, policy.default_version));
    if (!version) return Error(Code::kCorrupt, "policy " + name + " has lost its default version");
    FW_ASSIGN(auto body, policy::CompilePolicy(name, version->document));
    names.push_back(name);
    compiled.push_back(std::move(body));
  }
  for (const policy::CompiledPolicy& each : compiled) refs.push_back({each.name, each.body});
  return {};
}

Result<Authorization> Authorization::Open(const Context& context, const AuthorizationSubject& subject) {
  auto state = std::make_shared<State>();
  state->region = context.arns.region();
  state->account = context.arns.account().value();
  state->client_id = subject.client_id;
  state->now = context.clock.Now();
  FW_TRY(context.store.Read([&](ConstReader reader) { return state->Read(reader, context, subject); }));
  return Authorization(std::move(state));
}

policy::Explanation Authorization::Explain(policy::Action action, std::string_view resource_arn) const {
  policy::Facts facts;
  facts.region = state_->region;
  facts.account_id = state_->account;
  facts.client_id = state_->client_id;
  facts.certificate_id = state_->certificate_id;
  facts.certificate_serial = state_->serial;
  facts.certificate_attributes = state_->certificate_attributes;
  facts.thing_name = state_->thing_name;
  facts.thing_type = state_->thing_type;
  facts.thing_attributes = state_->thing_attributes;
  facts.now = state_->now;
  return policy::ExplainArn(state_->refs, facts, action, resource_arn);
}

const std::vector<std::string>& Authorization::policies() const { return state_->names; }

}  // namespace fleetward::registry
