#include "test_registry.h"

namespace fleetward::registry {
namespace {

using Name = model::DimensionName;

struct DimensionsTest : TestRegistry {
  Result<Dimension> Make(const std::string& name, std::vector<std::string> filters = {"device/+/auth"},
                         const std::string& token = "t") {
    return registry->dimensions.Create("test", {Name(name), std::move(filters), token, {}});
  }
};

TEST_F(DimensionsTest, ValuesAreTopicFilters) {
  EXPECT_OK(Make("a", {"device/+/auth", "x/#", "device/${iot:ClientId}/auth"}));
  for (const char* bad : {"a/#/b", "a+/b", "${iot:Certificate.Subject}/a", "$share/g/a", "${iot:ClientId", ""}) {
    SCOPED_TRACE(bad);
    EXPECT_CODE(Make("b", {bad}), Code::kInvalidArgument);
  }
  EXPECT_CODE(Make("b", {}), Code::kInvalidArgument);
  EXPECT_CODE(registry->dimensions.Update("test", Name("a"), {"#/x"}), Code::kInvalidArgument);
}

TEST_F(DimensionsTest, CreateUpdateDescribe) {
  Make("a").value();
  EXPECT_OK(Make("a"));
  EXPECT_CODE(Make("a", {"other"}), Code::kAlreadyExists);
  EXPECT_CODE(Make("a", {"device/+/auth"}, "t2"), Code::kAlreadyExists);
  EXPECT_OK(registry->dimensions.Update("test", Name("a"), {"x/+"}));
  auto read = registry->dimensions.Describe(Name("a"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->topic_filters, std::vector<std::string>{"x/+"});
  EXPECT_CODE(registry->dimensions.Update("test", Name("z"), {"x/+"}), Code::kNotFound);
}

TEST_F(DimensionsTest, DeletedOnlyWhenUnused) {
  Make("a").value();
  Make("b").value();
  model::Behavior behavior;
  behavior.name = model::BehaviorName("b");
  behavior.metric = "aws:num-messages-sent";
  behavior.dimension = model::MetricDimension{Name("a"), model::DimensionOperator::kNotIn};
  ProfileContent content;
  content.behaviors = {{behavior}};
  model::SecurityProfileName profile("user");
  EXPECT_OK(registry->security_profiles.Create("test", {profile, content, {}}));
  EXPECT_CODE(registry->dimensions.Delete("test", Name("a")), Code::kInvalidArgument);
  EXPECT_EQ(registry->security_profiles.List({"a", ""}, {})->items.size(), 1u);
  EXPECT_EQ(registry->security_profiles.List({"b", ""}, {})->items.size(), 0u);
  SecurityProfileUpdate update;
  update.delete_behaviors = true;
  EXPECT_OK(registry->security_profiles.Update("test", profile, update));
  EXPECT_OK(registry->dimensions.Delete("test", Name("a")));
  EXPECT_OK(registry->dimensions.Delete("test", Name("a")));
}

TEST_F(DimensionsTest, TheQuotaHolds) {
  for (std::size_t i = 0; i < quotas.dimensions; ++i) EXPECT_OK(Make("d" + std::to_string(i)));
  EXPECT_CODE(Make("more"), Code::kLimitExceeded);
}

}  // namespace
}  // namespace fleetward::registry
