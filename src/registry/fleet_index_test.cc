#include "fleetward/registry/fleet_index.h"

#include <chrono>
#include <thread>

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::ThingGroupName;
using model::ThingName;

struct FleetIndexTest : TestRegistry {
  CounterRegistry counters;
  std::unique_ptr<FleetIndex> fleet;
  FleetState outside;

  void SetUp() override {
    TestRegistry::SetUp();
    Open();
  }
  void Open() {
    fleet = std::make_unique<FleetIndex>(registry->context(), directory, registry->dynamic_thing_groups, counters);
    hub.Add(*fleet);
    ASSERT_TRUE(fleet->Start(outside).ok());
  }
  void TearDown() override { fleet->Stop(); }

  template <class Condition>
  static bool Within(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  void SwitchOn(ThingIndexing things = {.on = true}) {
    ThingGroupIndexing groups;
    groups.on = true;
    ASSERT_TRUE(fleet->Configure("test", things, groups).ok());
    ASSERT_TRUE(Within([&] {
      return *fleet->StateOf(kThingsIndex) == IndexState::kActive && *fleet->StateOf(kThingGroupsIndex) == IndexState::kActive;
    }));
  }
  std::vector<std::string> Found(std::string_view query, std::string_view index = kThingsIndex) {
    auto page = fleet->Search(index, query, "", 100);
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return {};
    std::sort(page->names.begin(), page->names.end());
    return page->names;
  }
  std::vector<std::string> Members(const std::string& group) {
    auto page = registry->thing_groups.ListThings(ThingGroupName(group), false, {"", 100});
    std::vector<std::string> names;
    if (page.ok()) for (const auto& name : page->items) names.push_back(name.value());
    return names;
  }
  void MakeDynamic(const std::string& name, const std::string& query) {
    clock.Advance(Millis(1000));
    auto made = registry->dynamic_thing_groups.Create("test", {ThingGroupName(name), query, {}, {}, {}});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  using Names = std::vector<std::string>;
};

TEST_F(FleetIndexTest, IsOffUntilConfigured) {
  EXPECT_EQ(fleet->Search(kThingsIndex, "*", "", 10).error().code(), Code::kNotFound);
  EXPECT_EQ(*fleet->StateOf(kThingsIndex), IndexState::kOff);
  EXPECT_EQ(fleet->StateOf("other").error().code(), Code::kNotFound);
  EXPECT_FALSE(fleet->RequireThings().ok());
  EXPECT_EQ(fleet->Configure("test", ThingIndexing{.on = false, .connectivity = true}, {}).error().code(), Code::kInvalidArgument);
}

TEST_F(FleetIndexTest, PagesGoOnOverARebuild) {
  SwitchOn();
  for (int i = 40; i > 0; --i) MakeThing("t-" + std::to_string(i));
  for (int i = 40; i > 0; --i) MakeGroup("g-" + std::to_string(i));
  std::vector<std::string> things, groups;
  std::string next, next_group;
  bool connectivity = false;
  do {
    auto page = fleet->Search(kThingsIndex, "thingName:t-*", next, 7);
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    things.insert(things.end(), page->names.begin(), page->names.end());
    next = page->next;
    // Deleted and made again it is another thing; made behind all others, it comes last.
    if (things.size() == 7) {
      ASSERT_TRUE(registry->things.Delete("test", ThingName("t-20"), {}).ok());
      MakeThing("t-20");
    }
    SwitchOn({.on = true, .connectivity = (connectivity = !connectivity)});
  } while (!next.empty());
  do {
    auto page = fleet->Search(kThingGroupsIndex, "*", next_group, 7);
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    groups.insert(groups.end(), page->names.begin(), page->names.end());
    next_group = page->next;
    ASSERT_TRUE(fleet->Configure("test", {}, ThingGroupIndexing{}).ok());
    SwitchOn({.on = true, .connectivity = connectivity});
  } while (!next_group.empty());
  std::vector<std::string> expected_things, expected_groups;
  for (int i = 40; i > 0; --i) expected_groups.push_back("g-" + std::to_string(i));
  for (int i = 40; i > 0; --i) if (i != 20) expected_things.push_back("t-" + std::to_string(i));
  expected_things.push_back("t-20");
  EXPECT_EQ(things, expected_things);
  EXPECT_EQ(groups, expected_groups);
}

TEST_F(FleetIndexTest, ThingsMadeDuringARebuildKeepTheirOrder) {
  SwitchOn();
  Names made;
  std::thread maker([&] {
    for (int i = 0; i < 400; ++i) {
      std::string name = (i % 2 == 0 ? "z" : "a") + std::to_string(1000 - i);
      MakeThing(name);
      made.push_back(name);
      if (i % 10 != 9) continue;
      EXPECT_TRUE(registry->things.Delete("test", ThingName(made[i / 2]), {}).ok());
      MakeThing(made[i / 2]);
      made.push_back(std::exchange(made[i / 2], ""));
    }
  });
  for (int i = 0; i < 30; ++i) SwitchOn({.on = true, .connectivity = i % 2 == 0});
  maker.join();
  std::erase(made, "");
  auto page = fleet->Search(kThingsIndex, "*", "", 1000);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->names, made);
  SwitchOn({.on = true, .connectivity = true});
  EXPECT_EQ(fleet->Search(kThingsIndex, "*", "", 1000)->names, made);
}

TEST_F(FleetIndexTest, FollowsTheRegistry) {
  MakeThing("before", {{"site", "north"}});
  MakeGroup("plant");
  MakeGroup("hall", "plant");
  ASSERT_TRUE(Join("hall", "before").ok());
  SwitchOn();
  EXPECT_EQ(Found("attributes.site:NORTH"), Names{"before"});
  EXPECT_EQ(Found("thingGroupNames:plant"), Names{"before"});
  EXPECT_EQ(Found("parentGroupNames:plant", kThingGroupsIndex), Names{"hall"});
  MakeThing("after", {{"site", "south"}});
  EXPECT_EQ(Found("attributes.site:s*"), Names{"after"});
  ASSERT_TRUE(Join("hall", "after").ok());
  EXPECT_EQ(Found("thingGroupNames:hall"), (Names{"after", "before"}));
  ThingUpdate update;
  update.attributes = Attributes{{"site", "west"}};
  ASSERT_TRUE(registry->things.Update("test", ThingName("after"), update).ok());
  EXPECT_EQ(Found("attributes.site:s*"), Names{});
  EXPECT_EQ(Found("thingGroupNames:hall attributes.site:west"), Names{"after"});
  ASSERT_TRUE(registry->things.Delete("test", ThingName("after"), {}).ok());
  EXPECT_EQ(Found("*"), Names{"before"});
}

TEST_F(FleetIndexTest, StaysConfiguredOverARestart) {
  MakeThing("t", {{"a", "1"}});
  SwitchOn({.on = true, .custom_fields = {{"attributes.a", FieldType::kNumber}}});
  fleet->Stop();
  auto old = std::move(fleet);  // on the hub until the end
  Open();
  ASSERT_TRUE(Within([&] { return *fleet->StateOf(kThingsIndex) == IndexState::kActive; }));
  EXPECT_EQ(Found("attributes.a:1"), Names{"t"});
  EXPECT_EQ(fleet->StatisticsOf(kThingsIndex, "*", "attributes.a")->first.sum, 1);
}

TEST_F(FleetIndexTest, ConnectivityAndViolations) {
  outside.each_connectivity = [](const auto& tell) {
    tell(ThingName("known"), ThingConnectivity{false, FromMillis(5000), "CONNECTION_LOST"});
  };
  fleet->Stop();
  auto first = fleet.release();  // on the hub until the end
  std::unique_ptr<FleetIndex> keep(first);
  Open();
  MakeThing("known");
  MakeThing("new");
  SwitchOn({.on = true, .connectivity = true, .violations = true});
  EXPECT_EQ(Found("connectivity.connected:false connectivity.disconnectReason:connection_lost"), Names{"known"});
  fleet->OnConnectivity(ThingName("new"), {true, FromMillis(9000), ""});
  EXPECT_EQ(Found("connectivity.connected:true AND connectivity.timestamp:[8000 TO 9000]"), Names{"new"});
  model::ActiveViolation violation;
  violation.thing_name = ThingName("new");
  violation.profile = model::SecurityProfileName("p");
  violation.behavior.name = model::BehaviorName("b");
  violation.behavior.metric = "aws:num-disconnects";
  violation.last_value = model::Count{7};
  violation.last_violation_time = FromMillis(1000);
  fleet->OnViolation(violation, true);
  EXPECT_EQ(Found("deviceDefender.p.b.inViolation:true"), Names{"new"});
  EXPECT_EQ(Found("deviceDefender.p.b.lastViolationValue.count>6"), Names{"new"});
  EXPECT_EQ(Found("deviceDefender.violationCount:[1 TO 5]"), Names{"new"});
  fleet->OnViolation(violation, false);
  EXPECT_EQ(Found("deviceDefender.p.b.inViolation:true"), Names{});
  EXPECT_EQ(Found("deviceDefender.violationCount:0"), Names{"new"});
  fleet->Stop();
}

TEST_F(FleetIndexTest, AggregatesNeedKnownFields) {
  MakeThing("t", {{"a", "1"}, {"s", "x"}});
  SwitchOn({.on = true, .custom_fields = {{"attributes.a", FieldType::kNumber}, {"attributes.s", FieldType::kString}}});
  EXPECT_EQ(fleet->StatisticsOf(kThingsIndex, "*", "attributes.zzz").error().code(), Code::kInvalidAggregation);
  EXPECT_EQ(fleet->Percentiles(kThingsIndex, "*", "attributes.s", {50}).error().code(), Code::kInvalidAggregation);
  EXPECT_EQ(fleet->StatisticsOf(kThingsIndex, "((", "attributes.a").error().code(), Code::kInvalidQuery);
  EXPECT_EQ(fleet->StatisticsOf(kThingsIndex, "*", "registry.version")->first.count, 1U);
  EXPECT_EQ(fleet->StatisticsOf(kThingsIndex, "*", "attributes.s")->second, FieldType::kString);
  EXPECT_EQ(*fleet->Cardinality(kThingsIndex, "*", "thingName"), 1U);
  EXPECT_EQ(fleet->BucketsOf(kThingsIndex, "*", "attributes.s", 10)->terms[0].text, "x");
  ThingIndexing bad{.on = true, .custom_fields = {{"other.a", FieldType::kNumber}}};
  EXPECT_EQ(fleet->Configure("test", bad, {}).error().code(), Code::kInvalidArgument);
}

TEST_F(FleetIndexTest, DynamicGroupsFollowTheirQuery) {
  MakeThing("n1", {{"site", "north"}});
  MakeThing("s1", {{"site", "south"}});
  SwitchOn();
  MakeDynamic("north", "attributes.site:north");
  EXPECT_TRUE(Within([&] { return Members("north") == Names{"n1"}; }));
  EXPECT_TRUE(Within([&] {
    return (*registry->dynamic_thing_groups.Find(ThingGroupName("north")))->status == DynamicGroupStatus::kActive;
  }));
  MakeThing("n2", {{"site", "north"}});
  EXPECT_TRUE(Within([&] { return Members("north") == Names{"n1", "n2"}; }));
  ThingUpdate update;
  update.attributes = Attributes{{"site", "south"}};
  ASSERT_TRUE(registry->things.Update("test", ThingName("n1"), update).ok());
  EXPECT_TRUE(Within([&] { return Members("north") == Names{"n2"}; }));
  // Members of the directory: what detection goes by.
  EXPECT_EQ(directory.GroupsOf("n2").size(), 1U);
  auto version = registry->dynamic_thing_groups.Update("test", ThingGroupName("north"), {}, "attributes.site:south");
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(*version, 2);
  EXPECT_TRUE(Within([&] { return Members("north") == Names{"n1", "s1"}; }));
  EXPECT_EQ(registry->thing_groups.AddThing("test", ThingGroupName("north"), ThingName("n2")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(registry->thing_groups.Delete("test", ThingGroupName("north"), {}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(fleet->Configure("test", ThingIndexing{}, {}).error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(registry->dynamic_thing_groups.Delete("test", ThingGroupName("north"), {}).ok());
  EXPECT_EQ(directory.GroupsOf("s1").size(), 0U);
  EXPECT_TRUE(fleet->Configure("test", ThingIndexing{}, {}).ok());
}

TEST_F(FleetIndexTest, FullThingsLeaveTheYoungestDynamicGroup) {
  SwitchOn();
  MakeThing("t", {{"a", "1"}});
  for (int i = 0; i < 9; ++i) {
    MakeGroup("g" + std::to_string(i));
    ASSERT_TRUE(Join("g" + std::to_string(i), "t").ok());
  }
  MakeDynamic("first", "attributes.a:1");
  EXPECT_TRUE(Within([&] { return Members("first") == Names{"t"}; }));
  MakeDynamic("second", "attributes.a:*");  // younger: stays without
  EXPECT_TRUE(Within([&] {
    return (*registry->dynamic_thing_groups.Find(ThingGroupName("second")))->status == DynamicGroupStatus::kActive;
  }));
  EXPECT_EQ(Members("second"), Names{});
  MakeGroup("static");
  EXPECT_FALSE(Join("static", "t").ok());
  EXPECT_TRUE(registry->thing_groups.AddThing("test", ThingGroupName("static"), ThingName("t"), true).ok());
  EXPECT_EQ(Members("static"), Names{"t"});
  EXPECT_EQ(Members("first"), Names{});
}

}  // namespace
}  // namespace fleetward::registry
