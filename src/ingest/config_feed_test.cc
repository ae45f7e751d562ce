#include "fleetward/ingest/config_feed.h"

#include <gtest/gtest.h>

#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::ingest {
namespace {

struct ConfigFeedTest : ::testing::Test {
  ManualClock clock{FromMillis(1'790'000'000'000)};
  model::AccountId account{"123456789012"};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(account);
  crypto::CertificateAuthority ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  crypto::KeyGenerator keys{{.max_waiting = 4, .ready_keys = 0}};
  registry::Directory directory{account};
  registry::ChangeHub hub;
  registry::NoEnforcement enforcement;
  model::Arns arns{"us-east-1", account};
  registry::Registry registry{registry::Context{*control, clock, arns, {}, hub, enforcement}, ca, keys};
  std::vector<Record> records;
  ConfigFeed feed{directory, registry, [this](std::vector<Record> some) {
                    records.insert(records.end(), std::make_move_iterator(some.begin()),
                                   std::make_move_iterator(some.end()));
                  }};

  void SetUp() override {
    hub.Add(directory);
    hub.Add(feed);
  }
  void MakeGroup(const std::string& name, const std::string& parent = {}) {
    ASSERT_TRUE(registry.thing_groups.Create("test", {model::ThingGroupName(name), parent, {}, {}, {}}).ok());
  }
  registry::Thing MakeThing(const std::string& name) {
    auto thing = registry.things.Create("test", {model::ThingName(name), {}, {}, {}});
    EXPECT_TRUE(thing.ok());
    return *thing;
  }
  void MakeProfile(const std::string& name) {
    ASSERT_TRUE(registry.security_profiles.Create("test", {model::SecurityProfileName(name), {}, {}}).ok());
  }
  void Join(const std::string& group, const std::string& thing) {
    ASSERT_TRUE(registry.thing_groups.AddThing("test", model::ThingGroupName(group), model::ThingName(thing)).ok());
  }
  static std::string GroupsOf(const Record& record) {
    auto* set = std::get_if<ThingSetRecord>(&record);
    if (!set) return "no thing";
    std::string names;
    for (const auto& group : set->config.groups) names += group.value() + " ";
    return names;
  }
  template <class T>
  const T& Last() {
    EXPECT_FALSE(records.empty());
    EXPECT_TRUE(std::holds_alternative<T>(records.back())) << records.back().index();
    return std::get<T>(records.back());
  }
};

TEST_F(ConfigFeedTest, ThingsCarryTheClosureOfTheirGroups) {
  MakeGroup("top");
  MakeGroup("leaf", "top");
  EXPECT_TRUE(records.empty());
  registry::Thing thing = MakeThing("t");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(Last<ThingSetRecord>().config.entity, thing.id);
  EXPECT_TRUE(Last<ThingSetRecord>().config.registered);
  Join("leaf", "t");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(GroupsOf(records.back()), "leaf top ");
  ASSERT_TRUE(registry.thing_groups.Delete("test", model::ThingGroupName("leaf"), std::nullopt).ok());
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(GroupsOf(records.back()), "");
  registry::ThingUpdate update;
  update.attributes = registry::Attributes{{"a", "b"}};
  ASSERT_TRUE(registry.things.Update("test", model::ThingName("t"), update).ok());
  EXPECT_EQ(records.size(), 3u);
}

TEST_F(ConfigFeedTest, ADeletedThingGoesWithItsEntity) {
  MakeGroup("g");
  registry::Thing thing = MakeThing("t");
  Join("g", "t");
  records.clear();
  ASSERT_TRUE(registry.things.Delete("test", model::ThingName("t"), std::nullopt).ok());
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(Last<ThingRemovedRecord>().entity, thing.id);
  MakeThing("t");
  EXPECT_NE(Last<ThingSetRecord>().config.entity, thing.id);
  EXPECT_EQ(GroupsOf(records.back()), "");
}

TEST_F(ConfigFeedTest, ProfilesCarryTargetsAndVersions) {
  MakeGroup("g");
  MakeProfile("p");
  EXPECT_TRUE(Last<ProfileSetRecord>().config.targets.empty());
  model::SecurityProfileName name("p");
  ASSERT_TRUE(registry.security_profiles.Attach("test", name, arns.ThingGroup("g")).ok());
  ASSERT_EQ(Last<ProfileSetRecord>().config.targets.size(), 1u);
  EXPECT_EQ(Last<ProfileSetRecord>().config.targets[0].group.value(), "g");
  registry::SecurityProfileUpdate update;
  model::Behavior behavior;
  behavior.name = model::BehaviorName("b");
  update.content.behaviors = {{behavior}};
  ASSERT_TRUE(registry.security_profiles.Update("test", name, update).ok());
  EXPECT_EQ(Last<ProfileSetRecord>().config.definition_versions, std::vector<std::int64_t>{2});
  EXPECT_EQ(Last<ProfileSetRecord>().config.profile.version, 2);
  EXPECT_EQ(Last<ProfileSetRecord>().config.targets.size(), 1u);
  ASSERT_TRUE(registry.thing_groups.Delete("test", model::ThingGroupName("g"), std::nullopt).ok());
  EXPECT_TRUE(Last<ProfileSetRecord>().config.targets.empty());
  ASSERT_TRUE(registry.security_profiles.Delete("test", name, std::nullopt).ok());
  EXPECT_EQ(Last<ProfileRemovedRecord>().name, name);
}

TEST_F(ConfigFeedTest, CustomMetricsCarryTheirNumbers) {
  model::CustomMetricName name("m");
  ASSERT_TRUE(registry.custom_metrics.Create("test", {name, model::CustomMetricType::kStringList, {}, "t", {}}).ok());
  EXPECT_EQ(Last<CustomMetricSetRecord>().config.id, model::kFirstCustomMetric);
  EXPECT_EQ(Last<CustomMetricSetRecord>().config.type, model::CustomMetricType::kStringList);
  ASSERT_TRUE(registry.custom_metrics.Update("test", name, "shown").ok());
  EXPECT_EQ(records.size(), 1u);
  ASSERT_TRUE(registry.custom_metrics.Delete("test", name).ok());
  EXPECT_EQ(Last<CustomMetricRemovedRecord>().name, name);
}

TEST_F(ConfigFeedTest, TheWholeConfigurationComesInOrder) {
  MakeGroup("g");
  MakeThing("t");
  MakeThing("u");
  Join("g", "t");
  MakeProfile("p");
  ASSERT_TRUE(registry.security_profiles.Attach("test", model::SecurityProfileName("p"), arns.ThingGroup("g")).ok());
  ASSERT_TRUE(registry.custom_metrics
                  .Create("test", {model::CustomMetricName("m"), model::CustomMetricType::kNumber, {}, "t", {}})
                  .ok());
  std::vector<Record> whole;
  ASSERT_TRUE(feed.WholeConfiguration()([&](Record record) { whole.push_back(std::move(record)); }).ok());
  ASSERT_EQ(whole.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<CustomMetricSetRecord>(whole[0]));
  ASSERT_TRUE(std::holds_alternative<ProfileSetRecord>(whole[1]));
  EXPECT_EQ(std::get<ProfileSetRecord>(whole[1]).config.targets.size(), 1u);
  EXPECT_EQ(GroupsOf(whole[2]) + GroupsOf(whole[3]), "g ");
}

}  // namespace
}  // namespace fleetward::ingest
