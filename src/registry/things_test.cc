#include "fleetward/registry/things.h"

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::ThingName;
struct ThingsTest : TestRegistry {};

TEST_F(ThingsTest, CreateIsIdempotentForTheSameContentOnly) {
  Thing first = MakeThing("a", {{"k", "v"}});
  EXPECT_EQ(MakeThing("a", {{"k", "v"}}).id, first.id);
  auto other = registry->things.Create("test", {ThingName("a"), {}, {}, {{"k", "w"}}});
  EXPECT_CODE(other, Code::kAlreadyExists);
  EXPECT_EQ(other.error().fields().at("resourceArn"), "arn:aws:iot:us-east-1:123456789012:thing/a");
  EXPECT_EQ(recorder.seen.size(), 1u);
}

TEST_F(ThingsTest, AttributesAreLimited) {
  EXPECT_CODE(registry->things.Create("t", {ThingName("a"), {}, {}, {{"1", ""}, {"2", ""}, {"3", ""}, {"4", ""}}}),
              Code::kInvalidArgument);
  EXPECT_OK(registry->thing_types.Create("t", {"typ", {}, {}, {}}));
  EXPECT_OK(registry->things.Create("t", {ThingName("a"), "typ", {}, {{"1", ""}, {"2", ""}, {"3", ""}, {"4", ""}}}));
  // Without its type it would have too many.
  EXPECT_CODE(registry->things.Update("t", ThingName("a"), {.remove_type = true}), Code::kInvalidArgument);
  EXPECT_CODE(registry->things.Create("t", {ThingName("b"), "nowhere", {}, {}}), Code::kNotFound);
  EXPECT_CODE(registry->things.Create("t", {ThingName("b"), {}, "nowhere", {}}), Code::kNotFound);
}

TEST_F(ThingsTest, UpdateReplacesOrMergesAndCountsVersions) {
  MakeThing("a", {{"x", "1"}, {"y", "2"}});
  ThingName a("a");
  EXPECT_OK(registry->things.Update("t", a, {.attributes = Attributes{{"x", ""}, {"z", "3"}}, .merge = true}));
  auto thing = *registry->things.Describe(a);
  EXPECT_EQ(thing.attributes, (Attributes{{"y", "2"}, {"z", "3"}}));
  EXPECT_EQ(thing.version, 2);
  EXPECT_OK(registry->things.Update("t", a, {.attributes = Attributes{{"w", "4"}}, .expected_version = 2}));
  EXPECT_EQ(registry->things.Describe(a)->attributes, (Attributes{{"w", "4"}}));
  auto conflict = registry->things.Update("t", a, {.attributes = Attributes{}, .expected_version = 2});
  EXPECT_CODE(conflict, Code::kVersionConflict);
  EXPECT_EQ(conflict.error().message(), "The version for thing a does not match the expected version.");
  EXPECT_CODE(registry->things.Update("t", ThingName("b"), {}), Code::kNotFound);
}

TEST_F(ThingsTest, DeleteOfUnknownSucceedsAndOfAttachedDoesNot) {
  EXPECT_OK(registry->things.Delete("t", ThingName("nobody"), 7));
  Thing old = MakeThing("a");
  MakeGroup("g");
  EXPECT_OK(Join("g", "a"));
  auto certificate = MakeCertificate();
  EXPECT_OK(registry->things.AttachPrincipal("t", ThingName("a"), ArnOf(certificate)));
  auto refused = registry->things.Delete("t", ThingName("a"), std::nullopt);
  EXPECT_CODE(refused, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().message(), "Cannot delete. Thing a is still attached to one or more principals");
  EXPECT_OK(registry->things.DetachPrincipal("t", ThingName("a"), ArnOf(certificate)));
  EXPECT_CODE(registry->things.Delete("t", ThingName("a"), 2), Code::kVersionConflict);
  EXPECT_OK(registry->things.Delete("t", ThingName("a"), 1));
  EXPECT_CODE(registry->things.Describe(ThingName("a")), Code::kNotFound);
  EXPECT_TRUE(registry->thing_groups.ListThings(model::ThingGroupName("g"), false, {})->items.empty());
  // A new thing of an old name inherits nothing (decision 9).
  EXPECT_NE(MakeThing("a").id, old.id);
}

TEST_F(ThingsTest, ListsFilterByTypeAndAttribute) {
  EXPECT_OK(registry->thing_types.Create("t", {"pump", {}, {}, {}}));
  EXPECT_OK(registry->things.Create("t", {ThingName("p1"), "pump", {}, {{"site", "north"}}}));
  EXPECT_OK(registry->things.Create("t", {ThingName("p2"), "pump", {}, {{"site", "south"}}}));
  MakeThing("q", {{"site", "northern"}});
  auto names = [&](ThingFilter filter) {
    std::string text;
    auto page = *registry->things.List(filter, {});
    for (const Thing& thing : page.items) text += thing.name.value() + " ";
    return text;
  };
  EXPECT_EQ(names({}), "p1 p2 q ");
  EXPECT_EQ(names({.type = "pump"}), "p1 p2 ");
  EXPECT_EQ(names({.attribute_name = "site"}), "p1 q p2 ");
  EXPECT_EQ(names({.attribute_name = "site", .attribute_value = "north"}), "p1 ");
  EXPECT_EQ(names({.attribute_name = "site", .attribute_value = "north", .attribute_value_is_prefix = true}), "p1 q ");
  EXPECT_OK(registry->things.Update("t", ThingName("p1"), {.attributes = Attributes{}, .remove_type = true}));
  EXPECT_EQ(names({.type = "pump"}), "p2 ");
  EXPECT_EQ(names({.attribute_name = "site", .attribute_value = "north"}), "");
  EXPECT_CODE(registry->things.List({.attribute_value = "north"}, {}), Code::kInvalidArgument);
}

TEST_F(ThingsTest, PagesGiveEachThingOnceUnderWrites) {
  for (int i = 0; i < 50; ++i) MakeThing("t" + std::to_string(i));
  std::vector<std::string> seen;
  PageRequest request{.after = "", .limit = 7};
  for (int page = 0;; ++page) {
    auto things = *registry->things.List({}, request);
    for (const Thing& thing : things.items) seen.push_back(thing.name.value());
    if (things.next.empty()) break;
    request.after = things.next;
    // The thing at the page's end goes, another comes before it.
    EXPECT_OK(registry->things.Delete("t", things.items.back().name, std::nullopt));
    MakeThing("a" + std::to_string(page));
  }
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_EQ(seen.size(), 50u);
}

TEST_F(ThingsTest, PrincipalsAttachBothWaysAndRepeat) {
  MakeThing("a");
  MakeThing("b");
  auto certificate = MakeCertificate();
  for (int i = 0; i < 2; ++i) {
    EXPECT_OK(registry->things.AttachPrincipal("t", ThingName("a"), ArnOf(certificate)));
    EXPECT_OK(registry->things.AttachPrincipal("t", ThingName("b"), ArnOf(certificate)));
  }
  EXPECT_EQ(registry->things.ListPrincipals(ThingName("a"), {})->items, std::vector{ArnOf(certificate)});
  EXPECT_EQ(registry->things.ListPrincipalThings(ArnOf(certificate), {})->items,
            (std::vector{ThingName("a"), ThingName("b")}));
  EXPECT_CODE(registry->things.AttachPrincipal("t", ThingName("c"), ArnOf(certificate)), Code::kNotFound);
  EXPECT_CODE(registry->things.AttachPrincipal("t", ThingName("a"), arns.Certificate(std::string(64, '0'))),
              Code::kNotFound);
  EXPECT_CODE(registry->things.AttachPrincipal("t", ThingName("a"), "nonsense"), Code::kInvalidArgument);
  EXPECT_CODE(registry->things.ListPrincipals(ThingName("c"), {}), Code::kNotFound);
}

TEST_F(ThingsTest, TypesAreDeletedSomeTimeAfterDeprecation) {
  EXPECT_OK(registry->thing_types.Create("t", {"pump", "text", {"site"}, {}}));
  EXPECT_OK(registry->thing_types.Create("t", {"pump", "text", {"site"}, {}}));
  EXPECT_CODE(registry->thing_types.Create("t", {"pump", "other", {}, {}}), Code::kAlreadyExists);
  EXPECT_CODE(registry->thing_types.Delete("t", "pump"), Code::kInvalidArgument);
  EXPECT_OK(registry->thing_types.Deprecate("t", "pump", false));
  EXPECT_CODE(registry->things.Create("t", {ThingName("x"), "pump", {}, {}}), Code::kInvalidArgument);
  EXPECT_CODE(registry->thing_types.Delete("t", "pump"), Code::kInvalidArgument);
  clock.Advance(std::chrono::seconds(300));
  EXPECT_OK(registry->thing_types.Deprecate("t", "pump", true));
  EXPECT_FALSE(registry->thing_types.Describe("pump")->deprecated);
  EXPECT_OK(registry->thing_types.Deprecate("t", "pump", false));
  clock.Advance(std::chrono::seconds(299));
  EXPECT_CODE(registry->thing_types.Delete("t", "pump"), Code::kInvalidArgument);
  clock.Advance(std::chrono::seconds(1));
  EXPECT_OK(registry->thing_types.Delete("t", "pump"));
  EXPECT_CODE(registry->thing_types.Describe("pump"), Code::kNotFound);
  EXPECT_TRUE(registry->thing_types.List("", {})->items.empty());
}

}  // namespace
}  // namespace fleetward::registry
