#include "fleetward/registry/policies.h"

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::PolicyName;
struct PoliciesTest : TestRegistry {
  PolicyName p{"p"};
};

TEST_F(PoliciesTest, VersionsCountUpAndAreNeverReused) {
  EXPECT_OK(registry->policies.Create("t", p, Document("1")));
  EXPECT_OK(registry->policies.Create("t", p, Document("1")));
  EXPECT_CODE(registry->policies.Create("t", p, Document("2")), Code::kAlreadyExists);
  for (int i = 2; i <= 5; ++i) EXPECT_OK(registry->policies.CreateVersion("t", p, Document("x"), false));
  auto full = registry->policies.CreateVersion("t", p, Document("x"), false);
  EXPECT_CODE(full, Code::kVersionsLimitExceeded);
  EXPECT_EQ(full.error().message(), "The policy p already has the maximum number of versions (5)");
  EXPECT_CODE(registry->policies.DeleteVersion("t", p, "1"), Code::kDeleteConflict);
  EXPECT_OK(registry->policies.DeleteVersion("t", p, "5"));
  auto next = registry->policies.CreateVersion("t", p, Document("y"), true);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->version.number, 6u);
  EXPECT_EQ(registry->policies.Get(p)->version.document, Document("y"));
  EXPECT_OK(registry->policies.SetDefaultVersion("t", p, "1"));
  EXPECT_EQ(registry->policies.Get(p)->policy.default_version, 1u);
  for (const char* id : {"5", "0", "01", "x", "", "99999999999"}) {
    EXPECT_CODE(registry->policies.GetVersion(p, id), Code::kNotFound);
  }
  auto versions = *registry->policies.ListVersions(p);
  ASSERT_EQ(versions.size(), 5u);
  EXPECT_EQ(versions.front().version.number, 6u);
}

TEST_F(PoliciesTest, BadDocumentsAreRefused) {
  EXPECT_CODE(registry->policies.Create("t", p, "{"), Code::kMalformedPolicy);
  EXPECT_CODE(registry->policies.Create("t", p, R"({"Version":"2012-10-17"})"), Code::kMalformedPolicy);
}

TEST_F(PoliciesTest, DeleteNeedsNoTargetsAndOneVersion) {
  EXPECT_OK(registry->policies.Create("t", p, Document()));
  auto certificate = MakeCertificate();
  EXPECT_OK(registry->policies.Attach("t", p, ArnOf(certificate)));
  auto attached = registry->policies.Delete("t", p);
  EXPECT_CODE(attached, Code::kDeleteConflict);
  EXPECT_EQ(attached.error().message(),
            "The policy cannot be deleted as the policy is attached to one or more principals (name=p)");
  EXPECT_OK(registry->policies.Detach("t", p, ArnOf(certificate)));
  EXPECT_OK(registry->policies.Detach("t", p, ArnOf(certificate)));
  EXPECT_OK(registry->policies.CreateVersion("t", p, Document("x"), false));
  EXPECT_CODE(registry->policies.Delete("t", p), Code::kDeleteConflict);
  EXPECT_OK(registry->policies.DeleteVersion("t", p, "2"));
  EXPECT_OK(registry->policies.Delete("t", p));
  EXPECT_CODE(registry->policies.Delete("t", p), Code::kNotFound);
  EXPECT_TRUE(registry->policies.List({})->items.empty());
}

TEST_F(PoliciesTest, AttachmentsAreLimitedAndListed) {
  auto certificate = MakeCertificate();
  MakeGroup("g");
  for (int i = 0; i < 11; ++i) {
    PolicyName name("p" + std::to_string(i));
    EXPECT_OK(registry->policies.Create("t", name, Document()));
    Status attached = registry->policies.Attach("t", name, ArnOf(certificate));
    EXPECT_EQ(attached.ok(), i < 10);
    if (!attached.ok()) {
      EXPECT_EQ(attached.error().code(), Code::kLimitExceeded);
    }
    EXPECT_EQ(registry->policies.Attach("t", name, arns.ThingGroup("g")).ok(), i < 2);
  }
  EXPECT_EQ(registry->policies.ListTargets(PolicyName("p0"), false, {})->items,
            (std::vector{ArnOf(certificate), arns.ThingGroup("g")}));
  EXPECT_EQ(registry->policies.ListTargets(PolicyName("p0"), true, {})->items, std::vector{ArnOf(certificate)});
  std::vector<std::string> names;
  PageRequest request{.after = "", .limit = 3, .descending = true};
  do {
    auto page = *registry->policies.ListAttached(ArnOf(certificate), false, request);
    for (const auto& name : page.items) names.push_back(name.value());
    request.after = page.next;
  } while (!request.after.empty());
  EXPECT_EQ(names.size(), 10u);
  EXPECT_TRUE(std::is_sorted(names.rbegin(), names.rend()));
  EXPECT_CODE(registry->policies.Attach("t", PolicyName("nope"), ArnOf(certificate)), Code::kNotFound);
  EXPECT_CODE(registry->policies.Attach("t", PolicyName("p0"), arns.ThingGroup("nope")), Code::kNotFound);
  EXPECT_CODE(registry->policies.Attach("t", PolicyName("p0"), arns.Thing("g")), Code::kInvalidArgument);
  EXPECT_CODE(registry->policies.Attach("t", PolicyName("p0"), "arn:aws:iot:us-east-1:999999999999:thinggroup/g"),
              Code::kInvalidArgument);
}

TEST_F(PoliciesTest, EffectivePoliciesComeFromCertificateGroupsAndAncestors) {
  MakeGroup("root");
  MakeGroup("leaf", "root");
  MakeThing("dev");
  EXPECT_OK(Join("leaf", "dev"));
  auto certificate = MakeCertificate();
  for (const char* name : {"of-certificate", "of-root", "of-leaf", "unused"}) {
    EXPECT_OK(registry->policies.Create("t", PolicyName(name), Document()));
  }
  EXPECT_OK(registry->policies.Attach("t", PolicyName("of-certificate"), ArnOf(certificate)));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("of-root"), arns.ThingGroup("root")));
  EXPECT_OK(registry->policies.Attach("t", PolicyName("of-leaf"), arns.ThingGroup("leaf")));
  auto names = [&](const std::string& principal, const std::string& thing) {
    std::string text;
    auto effective = *registry->policies.Effective(principal, thing);
    for (const auto& policy : effective) text += policy.name.value() + " ";
    return text;
  };
  EXPECT_EQ(names(ArnOf(certificate), "dev"), "of-certificate of-leaf of-root ");
  EXPECT_EQ(names(ArnOf(certificate), ""), "of-certificate ");
  EXPECT_EQ(names("", "dev"), "of-leaf of-root ");
  EXPECT_EQ(registry->policies.ListAttached(arns.ThingGroup("leaf"), true, {})->items.size(), 2u);
  EXPECT_EQ(registry->policies.ListAttached(arns.ThingGroup("leaf"), false, {})->items.size(), 1u);
}

}  // namespace
}  // namespace fleetward::registry
