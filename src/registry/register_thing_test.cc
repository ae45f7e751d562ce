#include "fleetward/registry/register_thing.h"

#include "fleetward/registry/provisioning_template.h"
#include "test_registry.h"

namespace fleetward::registry {
namespace {

// Each function and fault through the API: tests/functional/tour/register_thing.py.
TEST(ProvisioningTemplate, NestingAndGrowthAreBounded) {
  std::string nested = "\"x\"";
  for (int i = 0; i < 20; ++i) nested = R"({"Fn::Join":["",[)" + nested + "]]}";
  auto body = [](const std::string& name) {
    return R"({"Parameters":{"P":{"Type":"String"}},"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":)" +
           name + "}}}}";
  };
  EXPECT_CODE(ResolveTemplate(body(nested), {}), Code::kInvalidArgument);
  std::string big = R"({"Fn::Sub":"${P}${P}${P}"})";
  EXPECT_CODE(ResolveTemplate(body(big), {{"P", std::string(40'000, 'x')}}), Code::kInvalidArgument);
  EXPECT_OK(ResolveTemplate(body(big), {{"P", "x"}}));
  EXPECT_CODE(ResolveTemplate(std::string(10'000, '['), {}), Code::kInvalidArgument);
}

TEST(ProvisioningTemplate, PolicyWithoutNameIsNamedByItsDocument) {
  auto plan = ResolveTemplate(R"({"Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":"x"}},
      "p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":[]}}}}})", {});
  ASSERT_TRUE(plan.ok()) << plan.error().ToString();
  ASSERT_EQ(plan->policies.size(), 1U);
  EXPECT_EQ(plan->policies[0].name.size(), 64U);
  EXPECT_EQ(plan->policies[0].document, R"({"Statement":[],"Version":"2012-10-17"})");
}

using RegisterThingTest = TestRegistry;

TEST_F(RegisterThingTest, AFailureLeavesNothingAndTellsNobody) {
  auto key = std::move(crypto::PrivateKey::GenerateP256()).value();
  auto csr = std::move(crypto::CertificateRequest::MakePem(key, "device")).value();
  std::map<std::string, std::string> parameters = {{"CSR", csr}};
  const std::string body = R"({"Parameters":{"CSR":{"Type":"String"}},"Resources":{
      "c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateSigningRequest":{"Ref":"CSR"},"Status":"ACTIVE"}},
      "t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"a","ThingGroups":["g"]}}}})";
  auto failed = RegisterThing(*registry, "test", body, parameters);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().fields().at("exception"), "ResourceRegistrationFailureException");
  EXPECT_TRUE(recorder.seen.empty());
  EXPECT_EQ(registry->certificates.List({})->items.size(), 0U);
  MakeGroup("g");
  recorder.seen.clear();
  int before = enforcement.settled;
  auto made = RegisterThing(*registry, "test", body, parameters);
  ASSERT_TRUE(made.ok()) << made.error().ToString();
  EXPECT_EQ(made->resource_arns.size(), 2U);
  EXPECT_EQ(recorder.seen.size(), 4U);  // certificate, thing, membership, attachment
  EXPECT_EQ(enforcement.settled, before + 1) << "waited for the brokers once";
  EXPECT_EQ(directory.GroupsOf("a").size(), 1U);
}

}  // namespace
}  // namespace fleetward::registry
