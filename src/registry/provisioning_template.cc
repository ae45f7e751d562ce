#include "fleetward/registry/provisioning_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fleetward/crypto/digest.h"
#include "fleetward/registry/names.h"
#include "template_functions.h"

namespace fleetward::registry {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBody = 10240;  // the model's bound of templateBody
constexpr std::size_t kMaxPolicies = 10;

Error Bad(const std::string& where, const std::string& what) { return Error(Code::kInvalidArgument, where + ": " + what); }

/// One entry of the section "Resources".
class Resource {
 public:
  Resource(const TemplateValues& values, std::string logical_id, const Json& json)
      : values_(values), logical_id_(std::move(logical_id)), where_("Resources." + logical_id_), json_(json) {}

  const std::string& logical_id() const { return logical_id_; }
  const std::string& where() const { return where_; }
  std::string type() const { return json_.is_object() && json_.contains("Type") && json_["Type"].is_string() ? json_["Type"] : Json(""); }

  const Json* Property(const std::string& name) const { return In("Properties", name); }
  std::string WhereIs(const std::string& name) const { return where_ + ".Properties." + name; }

  Result<std::optional<std::string>> Text(const std::string& name) const {
    const Json* value = Property(name);
    if (!value) return std::optional<std::string>();
    FW_ASSIGN(std::string text, values_.Text(*value, WhereIs(name)));
    return std::optional<std::string>(std::move(text));
  }

  Result<OverrideMode> Override(const std::string& name, bool can_merge) const {
    const Json* value = In("OverrideSettings", name);
    if (!value) return OverrideMode::kDoNothing;
    std::string where = where_ + ".OverrideSettings." + name;
    FW_ASSIGN(std::string mode, values_.Text(*value, where));
    if (mode == "DO_NOTHING") return OverrideMode::kDoNothing;
    if (mode == "REPLACE") return OverrideMode::kReplace;
    if (mode == "FAIL") return OverrideMode::kFail;
    if (mode == "MERGE" && can_merge) return OverrideMode::kMerge;
    return Bad(where, "must be DO_NOTHING, REPLACE" + std::string(can_merge ? ", MERGE" : "") + " or FAIL");
  }

  /// Names that are not known are mistakes: something would silently not happen.
  Status CheckNames(const std::string& section, std::initializer_list<std::string_view> known) const {
    if (!json_.contains(section)) return {};
    const Json& members = json_[section];
    if (!members.is_object()) return Bad(where_ + "." + section, "an object is expected");
    for (const auto& [name, value] : members.items()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        return Bad(where_ + "." + section, name + " is not known here");
      }
    }
    return {};
  }

  const TemplateValues& values() const { return values_; }

 private:
  const Json* In(const char* section, const std::string& name) const {
    if (!json_.is_object() || !json_.contains(section) || !json_[section].is_object()) return nullptr;
    auto found = json_[section].find(name);
    return found == json_[section].end() ? nullptr : &*found;
  }

  const TemplateValues& values_;
  const std::string logical_id_, where_;
  const Json& json_;
};

Result<ThingResource> ThingOf(const Resource& resource) {
  FW_TRY(resource.CheckNames("Properties", {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups",
                                            "BillingGroup"}));
  FW_TRY(resource.CheckNames("OverrideSettings", {"AttributePayload", "ThingTypeName", "ThingGroups"}));
  ThingResource thing;
  thing.logical_id = resource.logical_id();
  FW_ASSIGN(auto name, resource.Text("ThingName"));
  if (!name) return Bad(resource.where(), "ThingName is required");
  thing.name = std::move(*name);
  FW_ASSIGN(thing.type, resource.Text("ThingTypeName"));
  FW_ASSIGN(thing.billing_group, resource.Text("BillingGroup"));
  if (const Json* groups = resource.Property("ThingGroups")) {
    FW_ASSIGN(thing.groups, resource.values().List(*groups, resource.WhereIs("ThingGroups")));
  }
  if (const Json* attributes = resource.Property("AttributePayload")) {
    std::string where = resource.WhereIs("AttributePayload");
    if (!attributes->is_object()) return Bad(where, "an object of names and values is expected");
    thing.attributes.emplace();
    for (const auto& [key, value] : attributes->items()) {
      FW_ASSIGN(std::string text, resource.values().Text(value, where + "." + key));
      if (!IsAttributeName(key) || !IsAttributeValue(text)) {
        return Bad(where + "." + key, "only letters, digits and _.,@/:#- are allowed");
      }
      thing.attributes->emplace(key, std::move(text));
    }
  }
  FW_ASSIGN(thing.attributes_override, resource.Override("AttributePayload", true));
  FW_ASSIGN(thing.groups_override, resource.Override("ThingGroups", true));
  FW_ASSIGN(thing.type_override, resource.Override("ThingTypeName", false));
  return thing;
}

Result<CertificateResource> CertificateOf(const Resource& resource) {
  FW_TRY(resource.CheckNames("Properties", {"CertificateSigningRequest", "CertificateId", "CertificatePem",
                                            "CACertificatePem", "Status", "ThingPrincipalType"}));
  FW_TRY(resource.CheckNames("OverrideSettings", {"Status"}));
  CertificateResource certificate;
  certificate.logical_id = resource.logical_id();
  FW_ASSIGN(auto csr, resource.Text("CertificateSigningRequest"));
  FW_ASSIGN(auto id, resource.Text("CertificateId"));
  FW_ASSIGN(auto pem, resource.Text("CertificatePem"));
  FW_ASSIGN(auto ca, resource.Text("CACertificatePem"));
  if (csr.has_value() + id.has_value() + pem.has_value() != 1) {
    return Bad(resource.where(), "exactly one of CertificateSigningRequest, CertificateId and CertificatePem is required");
  }
  if (ca && !pem) return Bad(resource.where(), "CACertificatePem needs a CertificatePem");
  certificate.csr = csr.value_or("");
  certificate.id = id.value_or("");
  certificate.pem = pem.value_or("");
  certificate.ca_pem = ca.value_or("");
  FW_ASSIGN(auto status, resource.Text("Status"));
  if (status) {
    // Templates spell it "ACTIVE" and "Active".
    for (char& c : *status) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    certificate.status = ParseCertificateStatus(*status);
    bool settable = certificate.status == CertificateStatus::kActive || certificate.status == CertificateStatus::kInactive;
    if (!settable) return Bad(resource.WhereIs("Status"), "must be ACTIVE or INACTIVE");
  }
  FW_ASSIGN(certificate.status_override, resource.Override("Status", false));
  return certificate;
}

Result<PolicyResource> PolicyOf(const Resource& resource) {
  FW_TRY(resource.CheckNames("Properties", {"PolicyName", "PolicyDocument"}));
  PolicyResource policy;
  policy.logical_id = resource.logical_id();
  FW_ASSIGN(auto name, resource.Text("PolicyName"));
  if (const Json* document = resource.Property("PolicyDocument")) {
    // Text, or the document itself.
    if (document->is_object() && document->contains("Statement")) {
      policy.document = document->dump();
    } else {
      FW_ASSIGN(policy.document, resource.Text("PolicyDocument"));
    }
  }
  if (!name && !policy.document) return Bad(resource.where(), "PolicyName or PolicyDocument is required");
  policy.name = name ? *name : crypto::Sha256Hex(*policy.document);
  return policy;
}

}  // namespace

Result<ProvisioningPlan> ResolveTemplate(std::string_view body, const std::map<std::string, std::string>& parameters) {
  if (body.size() > kMaxBody) return Bad("templateBody", "longer than 10,240 bytes");
  Json document = Json::parse(body, nullptr, false);
  if (document.is_discarded() || !document.is_object()) return Bad("templateBody", "not a JSON object");
  for (const auto& [name, value] : document.items()) {
    if (name != "Parameters" && name != "Resources" && name != "Mappings") return Bad("templateBody", name + " is not known here");
    if (!value.is_object()) return Bad(name, "an object is expected");
  }
  if (!document.contains("Resources") || document["Resources"].empty()) return Bad("Resources", "at least one is required");
  TemplateValues values(document, parameters);
  ProvisioningPlan plan;
  for (const auto& [name, json] : document["Resources"].items()) {
    Resource resource(values, name, json);
    std::string type = resource.type();
    if (type == "AWS::IoT::Thing" && !plan.thing) {
      FW_ASSIGN(plan.thing, ThingOf(resource));
    } else if (type == "AWS::IoT::Certificate" && !plan.certificate) {
      FW_ASSIGN(plan.certificate, CertificateOf(resource));
    } else if (type == "AWS::IoT::Policy" && plan.policies.size() < kMaxPolicies) {
      FW_ASSIGN(PolicyResource policy, PolicyOf(resource));
      plan.policies.push_back(std::move(policy));
    } else {
      return Bad(resource.where(), "Type must be AWS::IoT::Thing, AWS::IoT::Certificate (one of each) or AWS::IoT::Policy");
    }
  }
  if (!plan.policies.empty() && !plan.certificate) return Bad("Resources", "a policy needs a certificate to be attached to");
  return plan;
}

}  // namespace fleetward::registry
