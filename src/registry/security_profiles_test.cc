#include <chrono>
#include <set>

#include "fleetward/model/json.h"
#include "test_registry.h"

namespace fleetward::registry {
namespace {

using Name = model::SecurityProfileName;

struct SecurityProfilesTest : TestRegistry {
  static model::Behavior Parse(const std::string& json) {
    auto behavior = model::ParseBehavior(json);
    EXPECT_TRUE(behavior.ok()) << json;
    return behavior.ok() ? *behavior : model::Behavior();
  }
  static model::Behavior Bytes(const std::string& name, int count) {
    return Parse(R"({"name":")" + name +
                 R"(","metric":"aws:all-bytes-out","criteria":{"comparisonOperator":"less-than","durationSeconds":300,)" +
                 R"("value":{"count":)" + std::to_string(count) + "}}}");
  }
  static ProfileContent With(std::vector<model::Behavior> behaviors) {
    ProfileContent content;
    content.behaviors = std::move(behaviors);
    return content;
  }
  Result<SecurityProfile> Make(const std::string& name, ProfileContent content = {}) {
    return registry->security_profiles.Create("test", {Name(name), std::move(content), {}});
  }
  SecurityProfiles& profiles() { return registry->security_profiles; }
  std::string Group(const std::string& name) { return arns.ThingGroup(name); }
  std::string All(const std::string& which = "things") { return arns.Of("all", which); }
  Status Attach(const std::string& profile, const std::string& target) {
    return profiles().Attach("test", Name(profile), target);
  }
  std::vector<std::string> TargetsOf(const std::string& profile) {
    std::vector<std::string> arns;
    auto page = profiles().ListTargets(Name(profile), {});
    EXPECT_TRUE(page.ok());
    if (page.ok()) {
      for (const auto& target : page->items) arns.push_back(profiles().TargetArn(target));
    }
    return arns;
  }
};

TEST_F(SecurityProfilesTest, ContentComesBackAsItWasGiven) {
  ASSERT_TRUE(registry->custom_metrics
                  .Create("test", {model::CustomMetricName("cpu"), model::CustomMetricType::kNumber, {}, "t", {}})
                  .ok());
  ASSERT_TRUE(registry->dimensions.Create("test", {model::DimensionName("d"), {"a/+"}, "t", {}}).ok());
  ProfileContent content = With({
      Bytes("bytes", 10),
      Parse(R"({"name":"number","metric":"cpu","suppressAlerts":false,)"
            R"("criteria":{"comparisonOperator":"less-than","value":{"number":0.1}}})"),
      Parse(R"({"name":"count","metric":"cpu","criteria":{"comparisonOperator":"less-than","value":{"count":5}}})"),
      Parse(R"({"name":"cidr","metric":"aws:source-ip-address",)"
            R"("criteria":{"comparisonOperator":"in-cidr-set","value":{"cidrs":["10.1.2.3/8","::/0"]}}})"),
      Parse(R"({"name":"sent","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"d"}})"),
      Parse(R"({"name":"only"})"),
  });
  content.description = "";
  content.alert_targets = {{"SNS", {"arn:aws:sns:us-east-1:123456789012:t", "arn:aws:iam::123456789012:role/r"}}};
  content.metrics_to_retain = {{"aws:num-disconnects", "cpu"}};
  content.metrics_to_retain_v2 = {
      {{"aws:num-messages-sent", model::MetricDimension{model::DimensionName("d"), model::DimensionOperator::kNotIn}, {}},
       {"cpu", std::nullopt, true}}};
  content.metrics_export = model::MetricsExportConfig{"topic", "arn:aws:iam::123456789012:role/r"};
  EXPECT_OK(Make("p", content));
  auto read = profiles().Describe(Name("p"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->content, content);
  EXPECT_FALSE((*read->content.behaviors)[4].dimension->op_given);
  EXPECT_EQ(model::ToJsonText((*read->content.behaviors)[3]), model::ToJsonText((*content.behaviors)[3]));
  EXPECT_EQ(RetainedMetrics(read->content).size(), 3u);
  EXPECT_EQ(EngineForm(*read).behaviors.size(), 6u);
  EXPECT_OK(Make("empty"));
  EXPECT_EQ(profiles().Describe(Name("empty"))->content, ProfileContent());
}

TEST_F(SecurityProfilesTest, CreateRepeatsOnlyWithTheSameContent) {
  auto first = Make("p", With({Bytes("b", 1)}));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->version, 1);
  EXPECT_OK(Make("p", With({Bytes("b", 1)})));
  EXPECT_CODE(Make("p", With({Bytes("b", 2)})), Code::kAlreadyExists);
  EXPECT_EQ(recorder.seen.size(), 1u);
}

TEST_F(SecurityProfilesTest, EveryFaultIsNamed) {
  ProfileContent content = With({Parse(R"({"name":"b","metric":"nope"})"), Bytes("c", 1), Bytes("c", 2)});
  content.metrics_to_retain = {{"neither"}};
  content.alert_targets = {{"SNS", {"arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:iam::123456789012:role/r"}}};
  content.metrics_export = model::MetricsExportConfig{"$CONTROL/fleetward/v1", "role"};
  auto made = Make("p", content);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), Code::kInvalidArgument);
  for (const char* part : {"nope", "used by another behavior", "neither", "SNS topic", "reserved", "roleArn must"}) {
    EXPECT_NE(made.error().message().find(part), std::string::npos) << part << ": " << made.error().message();
  }
  EXPECT_CODE(profiles().Describe(Name("p")), Code::kNotFound);
  auto faults = profiles().Validate(*content.behaviors);
  ASSERT_TRUE(faults.ok());
  EXPECT_EQ(faults->size(), 2u);
}

// A request of 1 MiB holds some 150,000 short names.
TEST_F(SecurityProfilesTest, MetricsToRetainAreBounded) {
  ProfileContent content;
  content.metrics_to_retain.emplace();
  for (int i = 0; i < 150'000; ++i) content.metrics_to_retain->push_back(std::to_string(i));
  auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(RetainedMetrics(content).size(), 150'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  auto made = Make("p", content);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(made.error().message(), "A security profile can have at most 1000 additional metrics to retain, not 150000");
  content.metrics_to_retain->resize(1000, "aws:num-disconnects");
  for (std::string& name : *content.metrics_to_retain) name = "aws:num-disconnects";
  EXPECT_OK(Make("p", content));
  content.metrics_to_retain_v2 = {{{"aws:num-disconnects", {}, {}}}};
  EXPECT_CODE(Make("q", content), Code::kInvalidArgument);
}

TEST_F(SecurityProfilesTest, AnAlertTargetIsAWholeTopicArn) {
  ProfileContent content;
  auto code = [&](const char* arn) {
    content.alert_targets = {{"SNS", {arn, "arn:aws:iam::123456789012:role/r"}}};
    return Make("alerts", content);
  };
  for (const char* bad : {"", "arn:aws:sns:", "arn:aws:sns:us-east-1:123456789012", "arn:aws:sns:us-east-1:123456789012:",
                          "arn:aws:sns:us-east-1::t", "arn:aws:sqs:us-east-1:123456789012:t",
                          "arn:aws:sns:us-east-1:123456789012:t:0f3c9a55-d1e8-4b7c-8a6b-2e1d4c5f6a70"}) {
    EXPECT_CODE(code(bad), Code::kInvalidArgument);
  }
  EXPECT_TRUE(code("arn:aws-cn:sns:cn-north-1:123456789012:t").ok());
}

/// What the engine gets of a profile is one record of the log; one that does not fit would hold up all others.
TEST_F(SecurityProfilesTest, AProfileIsOfBoundedSize) {
  ASSERT_TRUE(registry->custom_metrics
                  .Create("test", {model::CustomMetricName("names"), model::CustomMetricType::kStringList, {}, "t", {}})
                  .ok());
  auto strings = [&](std::size_t bytes) {
    return With({Parse(R"({"name":"b","metric":"names","criteria":{"comparisonOperator":"in-set","value":{"strings":[")" +
                       std::string(bytes, 'x') + "\"]}}}")});
  };
  EXPECT_CODE(Make("p", strings(1 << 20)), Code::kInvalidArgument);
  EXPECT_TRUE(Make("p", strings(1'000'000)).ok());
  SecurityProfileUpdate update;
  update.content = strings((1 << 20) + 1);
  EXPECT_CODE(profiles().Update("test", Name("p"), update), Code::kInvalidArgument);
  EXPECT_EQ(profiles().Describe(Name("p"))->version, 1);
}

TEST_F(SecurityProfilesTest, UpdatePatches) {
  ProfileContent content = With({Bytes("a", 1), Bytes("b", 1)});
  content.description = "before";
  content.metrics_to_retain = {{"aws:num-disconnects"}};
  Make("p", content).value();
  SecurityProfileUpdate update;
  update.content.behaviors = {{Bytes("b", 2), Bytes("a", 1)}};
  update.expected_version = 1;
  auto updated = profiles().Update("test", Name("p"), update);
  ASSERT_TRUE(updated.ok()) << updated.error().ToString();
  EXPECT_EQ(updated->version, 2);
  EXPECT_EQ(updated->content.description, "before");
  EXPECT_EQ(updated->definition_versions, (std::vector<std::int64_t>{2, 1}));
  EXPECT_CODE(profiles().Update("test", Name("p"), update), Code::kVersionConflict);

  update = {};
  update.content.metrics_to_retain_v2 = {{{"aws:num-messages-sent", {}, {}}}};
  updated = profiles().Update("test", Name("p"), update);
  ASSERT_TRUE(updated.ok());
  EXPECT_FALSE(updated->content.metrics_to_retain);
  EXPECT_EQ(updated->definition_versions, (std::vector<std::int64_t>{2, 1}));

  update = {};
  update.delete_behaviors = update.delete_metrics_to_retain = true;
  updated = profiles().Update("test", Name("p"), update);
  ASSERT_TRUE(updated.ok());
  EXPECT_FALSE(updated->content.behaviors || updated->content.metrics_to_retain_v2);
  EXPECT_EQ(updated->version, 4);

  update.content.behaviors = {{Bytes("a", 1)}};
  EXPECT_CODE(profiles().Update("test", Name("p"), update), Code::kInvalidArgument);
  EXPECT_CODE(profiles().Update("test", Name("x"), {}), Code::kNotFound);
}

TEST_F(SecurityProfilesTest, HistoryIsKept) {
  Make("p", With({Bytes("a", 1)})).value();
  ASSERT_TRUE(profiles().Update("alice", Name("p"), {}).ok());
  ASSERT_TRUE(profiles().Delete("bob", Name("p"), std::nullopt).ok());
  std::vector<std::string> actors;
  ASSERT_TRUE(control->Read([&](const store::Reader& reader) {
    return reader.History(store::Table{"security_profiles", true}, "p", [&](const store::Change& change) {
      actors.push_back(change.actor);
      return true;
    });
  }).ok());
  EXPECT_EQ(actors, (std::vector<std::string>{"test", "alice", "bob"}));
}

TEST_F(SecurityProfilesTest, TargetsAttachAndDetach) {
  MakeGroup("g");
  Make("p").value();
  EXPECT_OK(Attach("p", Group("g")));
  EXPECT_OK(Attach("p", Group("g")));
  EXPECT_OK(Attach("p", All()));
  EXPECT_OK(Attach("p", All("registered-things")));
  EXPECT_OK(Attach("p", All("unregistered-things")));
  EXPECT_EQ(TargetsOf("p").size(), 4u);
  EXPECT_CODE(Attach("p", Group("none")), Code::kNotFound);
  EXPECT_CODE(Attach("x", All()), Code::kNotFound);
  for (const std::string& bad : {arns.Thing("t"), All("others"), std::string("all/things"),
                                 std::string("arn:aws:iot:us-east-1:210987654321:all/things")}) {
    SCOPED_TRACE(bad);
    EXPECT_CODE(Attach("p", bad), Code::kInvalidArgument);
  }
  EXPECT_OK(profiles().Detach("test", Name("p"), All()));
  EXPECT_OK(profiles().Detach("test", Name("p"), All()));
  EXPECT_EQ(TargetsOf("p").size(), 3u);
  const auto& last = std::get<SecurityProfileChanged>(recorder.seen.back());
  EXPECT_EQ(last.targets.size(), 3u);
}

TEST_F(SecurityProfilesTest, ATargetTakesFiveProfiles) {
  for (int i = 0; i < 6; ++i) Make("p" + std::to_string(i)).value();
  for (int i = 0; i < 5; ++i) EXPECT_OK(Attach("p" + std::to_string(i), All()));
  EXPECT_CODE(Attach("p5", All()), Code::kLimitExceeded);
  EXPECT_OK(Attach("p0", All()));
}

TEST_F(SecurityProfilesTest, DeleteLetsGoOfTargets) {
  MakeGroup("g");
  Make("p").value();
  EXPECT_OK(Attach("p", Group("g")));
  EXPECT_CODE(profiles().Delete("test", Name("p"), 7), Code::kVersionConflict);
  EXPECT_OK(profiles().Delete("test", Name("p"), 1));
  EXPECT_OK(profiles().Delete("test", Name("p"), 1));
  EXPECT_TRUE(profiles().ListForTarget(Group("g"), false, {})->items.empty());
  Make("p").value();
  EXPECT_TRUE(TargetsOf("p").empty());
}

TEST_F(SecurityProfilesTest, DeletingAGroupLetsGoOfItsProfiles) {
  MakeGroup("g");
  Make("p").value();
  EXPECT_OK(Attach("p", Group("g")));
  EXPECT_OK(registry->thing_groups.Delete("test", model::ThingGroupName("g"), std::nullopt));
  EXPECT_TRUE(TargetsOf("p").empty());
  bool told = false;
  for (const Change& change : recorder.seen) {
    auto* changed = std::get_if<SecurityProfileChanged>(&change);
    told = told || (changed && changed->before && changed->targets.empty());
  }
  EXPECT_TRUE(told);
}

TEST_F(SecurityProfilesTest, ListsByTargetWithGroupsBelow) {
  MakeGroup("top");
  MakeGroup("mid", "top");
  MakeGroup("leaf", "mid");
  for (const char* name : {"a", "b", "c"}) Make(name).value();
  EXPECT_OK(Attach("a", Group("top")));
  EXPECT_OK(Attach("b", Group("leaf")));
  EXPECT_OK(Attach("c", Group("leaf")));
  EXPECT_OK(Attach("c", All("registered-things")));
  EXPECT_EQ(profiles().ListForTarget(Group("top"), false, {})->items.size(), 1u);
  EXPECT_EQ(profiles().ListForTarget(All(), true, {})->items.size(), 1u);
  EXPECT_CODE(profiles().ListForTarget(Group("none"), false, {}), Code::kNotFound);
  std::set<std::string> seen;
  PageRequest request{{}, 1, false};
  for (int pages = 0; pages < 10; ++pages) {
    auto page = profiles().ListForTarget(Group("top"), true, request);
    ASSERT_TRUE(page.ok());
    for (const auto& mapping : page->items) {
      EXPECT_TRUE(seen.insert(mapping.profile.value() + " " + profiles().TargetArn(mapping.target)).second);
    }
    request.after = page->next;
    if (page->next.empty()) break;
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(SecurityProfilesTest, CoveringFindsWhatATargetReaches) {
  MakeGroup("g");
  for (const char* name : {"a", "b", "c", "d"}) Make(name).value();
  EXPECT_OK(Attach("a", All()));
  EXPECT_OK(Attach("b", All("registered-things")));
  EXPECT_OK(Attach("c", All("unregistered-things")));
  EXPECT_OK(Attach("d", Group("g")));
  EXPECT_OK(Attach("a", Group("g")));
  std::vector<model::ThingGroupName> groups = {model::ThingGroupName("g")};
  auto names = [](const Result<std::vector<SecurityProfile>>& found) {
    std::string all;
    for (const auto& profile : *found) all += profile.name.value();
    return all;
  };
  EXPECT_EQ(names(profiles().Covering(true, groups)), "abd");
  EXPECT_EQ(names(profiles().Covering(true, {})), "ab");
  EXPECT_EQ(names(profiles().Covering(false, {})), "ac");
  EXPECT_EQ(profiles().All()->size(), 4u);
}

TEST_F(SecurityProfilesTest, ListFilters) {
  Make("a", With({Bytes("b", 1)})).value();
  ProfileContent retains;
  retains.metrics_to_retain = {{"aws:all-bytes-out"}};
  Make("b", retains).value();
  Make("c").value();
  EXPECT_EQ(profiles().List({"", "aws:all-bytes-out"}, {})->items.size(), 2u);
  EXPECT_EQ(profiles().List({}, {})->items.size(), 3u);
  EXPECT_CODE(profiles().List({"d", "m"}, {}), Code::kInvalidArgument);
  EXPECT_CODE(profiles().List({"none", ""}, {}), Code::kNotFound);
  EXPECT_CODE(profiles().List({"", "none"}, {}), Code::kNotFound);
}

}  // namespace
}  // namespace fleetward::registry
