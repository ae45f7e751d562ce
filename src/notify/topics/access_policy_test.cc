#include "access_policy.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fleetward::notify {
namespace {

const std::string kArn = "arn:aws:sns:us-east-1:123456789012:t";

Result<std::string> Add(const std::string& policy, const std::string& label, std::vector<std::string> accounts,
                        std::vector<std::string> actions) {
  return WithPermission(policy, kArn, label, accounts, actions);
}

TEST(AccessPolicy, StatementsComeAndGo) {
  std::string policy = DefaultAccessPolicy(kArn, "123456789012");
  auto with = Add(policy, "mine", {"111122223333"}, {"Publish", "Subscribe"});
  ASSERT_TRUE(with.ok());
  auto statement = nlohmann::json::parse(*with)["Statement"][1];
  EXPECT_EQ(statement["Sid"], "mine");
  EXPECT_EQ(statement["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
  EXPECT_EQ(statement["Action"], (nlohmann::json{"SNS:Publish", "SNS:Subscribe"}));
  EXPECT_EQ(statement["Resource"], kArn);
  EXPECT_EQ(Add(*with, "mine", {"111122223333"}, {"Publish"}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(WithoutPermission(*with, "mine").value(), policy);
  EXPECT_EQ(WithoutPermission(policy, "mine").error().code(), Code::kNotFound);
}

TEST(AccessPolicy, FaultsAreRefused) {
  EXPECT_FALSE(Add("{}", "", {"111122223333"}, {"Publish"}).ok());
  EXPECT_FALSE(Add("{}", "a b", {"111122223333"}, {"Publish"}).ok());
  EXPECT_FALSE(Add("{}", "a", {"1111"}, {"Publish"}).ok());
  EXPECT_FALSE(Add("{}", "a", {"111122223333"}, {"Fly"}).ok());
  EXPECT_FALSE(Add("{}", "a", {}, {"Publish"}).ok());
  EXPECT_FALSE(Add("{}", "a", {"111122223333"}, {}).ok());
  EXPECT_TRUE(Add(R"({"Statement":{"Sid":"one"}})", "a", {"111122223333"}, {"*"}).ok());
}

}  // namespace
}  // namespace fleetward::notify
