#include "fleetward/registry/provision.h"

#include "fleetward/registry/names.h"

namespace fleetward::registry {
namespace {

// Longer than a narrowing call waits (D42): nobody else is held up, and a device that starts at once is not refused.
constexpr auto kEnforcedWait = std::chrono::seconds(5);

std::string Statement(const std::string& action, std::initializer_list<std::string> resources) {
  std::string text = R"({"Effect":"Allow","Action":)" + action + R"(,"Resource":[)";
  bool first = true;
  for (const std::string& resource : resources) {
    text += (first ? "\"" : ",\"") + resource + "\"";
    first = false;
  }
  return text + "]}";
}

}  // namespace

std::string ProvisionPolicyDocument(const model::Arns& arns) {
  const std::string thing = "${iot:Connection.Thing.ThingName}";
  const std::string metrics = "$aws/things/" + thing + "/defender/metrics/";
  std::string connect = Statement(R"("iot:Connect")", {arns.Of("client", thing)});
  std::string publish = Statement(R"("iot:Publish")", {arns.Of("topic", metrics + "json"),
                                                       arns.Of("topic", metrics + "cbor")});
  std::string subscribe = Statement(R"("iot:Subscribe")", {arns.Of("topicfilter", metrics + "*/accepted"),
                                                           arns.Of("topicfilter", metrics + "*/rejected")});
  std::string receive = Statement(R"("iot:Receive")", {arns.Of("topic", metrics + "*/accepted"),
                                                       arns.Of("topic", metrics + "*/rejected")});
  return R"({"Version":"2012-10-17","Statement":[)" + connect + "," + publish + "," + subscribe + "," + receive +
         "]}";
}

Result<ProvisionedThing> ProvisionThing(Registry& registry, std::string_view actor, const model::ThingName& name,
                                        std::string_view csr_pem) {
  if (!IsThingName(name.value())) {
    return Error(Code::kInvalidArgument, "A thing's name has 1 to 128 letters, digits, ':', '_' or '-': " +
                                             name.value());
  }
  ProvisionedThing provisioned;
  auto present = registry.things.Describe(name);
  if (present.ok()) {
    provisioned.thing = std::move(present).value();
  } else {
    FW_ASSIGN(provisioned.thing, registry.things.Create(actor, NewThing{name, {}, {}, {}}));
  }
  model::PolicyName policy{kProvisionPolicy};
  if (!registry.policies.Get(policy).ok()) {
    FW_ASSIGN(auto made, registry.policies.Create(actor, policy, ProvisionPolicyDocument(registry.arns())));
    (void)made;
  }
  FW_ASSIGN(IssuedCertificate issued, registry.certificates.CreateFromCsr(actor, csr_pem, true));
  std::string arn = registry.arns().Certificate(issued.certificate.id.value());
  FW_TRY(registry.policies.Attach(actor, policy, arn));
  FW_TRY(registry.things.AttachPrincipal(actor, name, arn));
  provisioned.enforced = registry.context().enforcement.Await(kEnforcedWait);
  provisioned.certificate = std::move(issued.certificate);
  provisioned.certificate_pem = std::move(issued.pem);
  return provisioned;
}

}  // namespace fleetward::registry
