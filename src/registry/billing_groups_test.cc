#include "fleetward/registry/billing_groups.h"

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using BillingGroupsTest = TestRegistry;

// The rest through the API: tests/functional/tour/billing_groups.py.
TEST_F(BillingGroupsTest, ThingsOfAManyStepDeletionAreLetGo) {
  EXPECT_OK(registry->billing_groups.Create("test", {.name = "big"}));
  for (int i = 0; i < 1200; ++i) {
    EXPECT_OK(registry->things.Create("test", {model::ThingName("t" + std::to_string(i)), {}, "big", {}}));
  }
  EXPECT_OK(registry->billing_groups.Delete("test", "big", std::nullopt));
  EXPECT_CODE(registry->billing_groups.ListThings("big", {}), Code::kNotFound);
  EXPECT_EQ(registry->things.Describe(model::ThingName("t1199"))->billing_group, "");
  EXPECT_OK(registry->billing_groups.Create("test", {.name = "big"}));
  EXPECT_TRUE(registry->billing_groups.ListThings("big", {})->items.empty());
}

TEST_F(BillingGroupsTest, ADeletedThingLeavesItsGroup) {
  EXPECT_OK(registry->billing_groups.Create("test", {.name = "b"}));
  EXPECT_OK(registry->things.Create("test", {model::ThingName("t"), {}, "b", {}}));
  EXPECT_EQ(registry->billing_groups.ListThings("b", {})->items.size(), 1U);
  EXPECT_OK(registry->things.Delete("test", model::ThingName("t"), std::nullopt));
  EXPECT_TRUE(registry->billing_groups.ListThings("b", {})->items.empty());
}

}  // namespace
}  // namespace fleetward::registry
