#include "fleetward/registry/registry_events.h"

#include <nlohmann/json.hpp>

#include "test_registry.h"

namespace fleetward::registry {
namespace {

struct RegistryEventsTest : TestRegistry {
  CounterRegistry counters;
  std::mutex mutex;
  std::vector<RegistryEvent> sent;
  Status broker = Error(Code::kUnavailable, "away");
  std::unique_ptr<RegistryEvents> events;

  void SetUp() override {
    TestRegistry::SetUp();
    events = std::make_unique<RegistryEvents>(EventConfiguration{}, arns, clock,
                                              [this](const RegistryEvent& event) -> Status {
      std::lock_guard lock(mutex);
      if (broker.ok()) sent.push_back(event);
      return broker;
    }, counters);
    hub.Add(*events);
    events->Start();
  }
  void TearDown() override { events->Stop(); }

  void Switch(std::initializer_list<EventKind> kinds, bool enabled = true) {
    std::vector<EventSwitch> switches;
    for (EventKind kind : kinds) switches.push_back({kind, enabled});
    EXPECT_OK(registry->event_configurations.Update("test", switches));
  }
  std::vector<RegistryEvent> Wait(std::size_t count) {
    for (int i = 0; i < 2000; ++i) {
      std::lock_guard lock(mutex);
      broker = {};
      if (sent.size() >= count) return sent;
      mutex.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      mutex.lock();
    }
    return sent;
  }
  static std::vector<std::string> Topics(const std::vector<RegistryEvent>& events) {
    std::vector<std::string> topics;
    for (const RegistryEvent& event : events) topics.push_back(event.topic.substr(sizeof("$aws/events/") - 1));
    return topics;
  }
};

TEST_F(RegistryEventsTest, OnlyWhatIsSwitchedOnInTheOrderOfTheCommitsAndAfterTheBrokerCameBack) {
  MakeThing("before");
  Switch({EventKind::kThing, EventKind::kThingGroup, EventKind::kThingType, EventKind::kThingGroupMembership,
          EventKind::kThingGroupHierarchy, EventKind::kThingTypeAssociation});
  EXPECT_OK(registry->thing_types.Create("test", {.name = "lamp"}));
  MakeThing("a", {{"k", "v"}});
  EXPECT_OK(registry->things.Update("test", model::ThingName("a"), {.type = "lamp"}));
  MakeGroup("site");
  MakeGroup("leaf", "site");
  EXPECT_OK(Join("leaf", "a"));
  EXPECT_OK(registry->thing_groups.Update("test", model::ThingGroupName("leaf"), {.description = "d"}));
  EXPECT_OK(registry->thing_groups.Delete("test", model::ThingGroupName("leaf"), std::nullopt));
  EXPECT_OK(registry->things.Delete("test", model::ThingName("a"), std::nullopt));
  EXPECT_OK(registry->thing_types.Deprecate("test", "lamp", false));
  Switch({EventKind::kThing}, false);
  MakeThing("after");
  auto got = Wait(14);
  EXPECT_EQ(Topics(got),
            (std::vector<std::string>{
                "thingType/lamp/created", "thing/a/created", "thing/a/updated",
                "thingTypeAssociation/thing/a/thingType/lamp/added", "thingGroup/site/created", "thingGroup/leaf/created",
                "thingGroupHierarchy/thingGroup/site/childThingGroup/leaf/added",
                "thingGroupMembership/thingGroup/leaf/thing/a/added", "thingGroup/leaf/updated",
                "thingGroupMembership/thingGroup/leaf/thing/a/removed", "thingGroup/leaf/deleted",
                "thingGroupHierarchy/thingGroup/site/childThingGroup/leaf/removed", "thing/a/deleted",
                "thingTypeAssociation/thing/a/thingType/lamp/removed", "thingType/lamp/updated"}));
  auto thing = nlohmann::json::parse(got[1].payload);
  EXPECT_EQ(thing["eventType"], "THING_EVENT");
  EXPECT_EQ(thing["operation"], "CREATED");
  EXPECT_EQ(thing["versionNumber"], 1);
  EXPECT_EQ(thing["accountId"], kAccount);
  EXPECT_TRUE(thing["thingTypeName"].is_null());
  EXPECT_EQ(thing["attributes"], (nlohmann::json{{"k", "v"}}));
  EXPECT_EQ(thing["timestamp"], ToMillis(clock.Now()));
  auto leaf = nlohmann::json::parse(got[5].payload);
  EXPECT_EQ(leaf["parentGroupName"], "site");
  EXPECT_EQ(leaf["parentGroupId"], nlohmann::json::parse(got[4].payload)["thingGroupId"]);
  EXPECT_EQ(leaf["rootToParentThingGroups"].size(), 1U);
  auto joined = nlohmann::json::parse(got[7].payload), left = nlohmann::json::parse(got[9].payload);
  EXPECT_EQ(joined["membershipId"], left["membershipId"]);
  EXPECT_EQ(joined["thingId"], thing["thingId"]);
  EXPECT_EQ(joined["operation"], "ADDED");
  EXPECT_NE(joined["eventId"], left["eventId"]);
}

TEST_F(RegistryEventsTest, WhatWaitsForTheBrokerIsBounded) {
  Switch({EventKind::kThing});
  for (std::size_t i = 0; i < RegistryEvents::kHeld + 10; ++i) MakeThing("t" + std::to_string(i));
  auto got = Wait(RegistryEvents::kHeld);
  EXPECT_GE(got.size(), RegistryEvents::kHeld);
  EXPECT_LE(got.size(), RegistryEvents::kHeld + 1);
  EXPECT_EQ(got.back().topic, "$aws/events/thing/t" + std::to_string(RegistryEvents::kHeld + 9) + "/created");
}

}  // namespace
}  // namespace fleetward::registry
