// The attacks of a compromised device (threats.md a, b, c, d, e) against a session whose policies allow everything.
#include "fleetward/policy/device_session.h"

#include <gtest/gtest.h>

#include "fleetward/policy/document.h"
#include "fleetward/policy/snapshot_builder.h"

namespace fleetward::policy {
namespace {

constexpr Timestamp kNow = FromMillis(1'795'000'000'000);

Fingerprint Print(std::uint8_t n) {
  Fingerprint fingerprint{};
  fingerprint[0] = n;
  return fingerprint;
}

class DeviceSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    SnapshotBuilder builder({1, "us-east-1", "123456789012"});
    builder.AddPolicy({0, "all", Body(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})")});
    builder.AddPolicy({1, "no-secret", Body(R"({"Effect":"Deny","Action":"iot:Subscribe",
        "Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/secret/*"})")});
    builder.AddPolicy({2, "repair", Body(R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"})")});
    builder.AddPolicySet({0, {0}});
    builder.AddPolicySet({1, {1}});
    builder.AddPolicySet({2, {2}});
    builder.AddCertificate(Certificate(1, {"dev1"}));
    builder.AddCertificate(Certificate(2, {"dev2"}));
    builder.AddCertificate(Certificate(3, {"dev3", "dev4"}));
    builder.AddCertificate(Certificate(4, {}));
    builder.AddThing({.name = "dev1", .policy_set = 1, .certificates = {Print(1)}});
    builder.AddThing({.name = "dev2", .certificates = {Print(2)}});
    builder.AddThing({.name = "dev3", .certificates = {Print(3)}});
    builder.AddThing({.name = "dev4", .certificates = {Print(3)}});
    builder.AddThing({.name = "nobodys"});
    auto bytes = builder.Build(3);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    bytes_ = *bytes;
    ASSERT_TRUE(state_.Load(bytes_, nullptr).ok());
  }

  static std::string Body(const std::string& statement) {
    return CompilePolicy("", R"({"Version":"2012-10-17","Statement":)" + statement + "}")->body;
  }
  static CertificateEntry Certificate(std::uint8_t n, std::vector<std::string> things) {
    CertificateEntry e;
    e.fingerprint = Print(n);
    e.status = CertificateStatus::kActive;
    e.not_after = kNow + std::chrono::hours(1);
    e.policy_set = 0;
    e.things = std::move(things);
    return e;
  }
  DeviceSession Session(std::uint8_t certificate, std::string_view client_id) {
    return {state_, rules_, &cache_, Print(certificate), client_id, model::IpAddress::Parse("192.0.2.1")};
  }
  void Apply(std::vector<SnapshotChange> changes) {
    ASSERT_TRUE(state_.Apply(EncodeDelta({state_.version(), state_.version() + 1, std::move(changes)})).ok());
  }

  std::string bytes_;
  SnapshotState state_;
  DeviceRules rules_;
  DecisionCache cache_{1024, 99};
};

TEST_F(DeviceSessionTest, ThreatAServiceTopicsAreNeverPublishable) {
  auto s = Session(1, "dev1");
  for (const char* topic : {"$aws/things/dev1/defender/metrics/json/accepted", "$SYS/broker/x",
                            "$aws/things/dev1/defender/metrics/cbor/rejected", "$aws/events/presence/connected/dev1",
                            "$aws/events", "$CONTROL/fleetward/v1", "$share/x/y", "$aws", "$other/x",
                            "$aws/things/dev1/defender/metrics/other", "$aws/things/dev1/shadow/update/accepted"}) {
    EXPECT_EQ(s.CanPublish(topic, false, kNow), Refusal::kReservedTopic) << topic;
    EXPECT_NE(s.CanPublish(topic, true, kNow), Refusal::kNone) << topic;
  }
  EXPECT_EQ(s.CanPublish("$aws/things/dev1/defender/metrics/json", false, kNow), Refusal::kNone);
  EXPECT_EQ(s.CanPublish("$aws/things/dev1/defender/metrics/json", true, kNow), Refusal::kRetainOnReserved);
  EXPECT_EQ(s.CanPublish("$aws/things/dev1/shadow/update", false, kNow), Refusal::kNone);
  EXPECT_EQ(s.CanPublish("plain", true, kNow), Refusal::kNone);
  EXPECT_EQ(s.CanPublish("a/+", false, kNow), Refusal::kTopicInvalid);
  EXPECT_EQ(s.CanPublish(std::string(257, 'x'), false, kNow), Refusal::kTopicInvalid);
}

TEST_F(DeviceSessionTest, OnlyWhoIsNamedAnOperatorReadsOthersEvents) {
  Apply({PolicyEntry{9, "operator", Body(R"([{"Effect":"Allow","Action":"iot:*","Resource":"*"},
             {"Effect":"Allow","Action":"fleetward:ReadEvents",
              "Resource":"arn:aws:iot:us-east-1:123456789012:topic/$aws/events/*"}])")},
         PolicyEntry{8, "wild", Body(R"({"Effect":"Allow","Action":["*","*:*","fleetward:*"],"Resource":"*"})")},
         PolicySetEntry{9, {9}}, PolicySetEntry{8, {8}}});
  CertificateEntry named = Certificate(4, {}), wild = Certificate(5, {});
  named.policy_set = 9;
  wild.policy_set = 8;
  Apply({named, wild});
  auto reader = Session(4, "watcher");
  for (const char* filter : {"$aws/events/#", "$aws/events/presence/connected/+", "$aws/events/certificates/registered/+"}) {
    EXPECT_EQ(reader.CanSubscribe(filter, kNow), Refusal::kNone) << filter;
    EXPECT_EQ(Session(5, "wild").CanSubscribe(filter, kNow), Refusal::kForeignReport) << filter;
  }
  EXPECT_EQ(reader.CanReceive("$aws/events/presence/connected/dev2", kNow), Refusal::kNone);
  EXPECT_EQ(Session(5, "wild").CanReceive("$aws/events/presence/connected/dev2", kNow), Refusal::kForeignReport);
  EXPECT_EQ(reader.CanSubscribe("$aws/things/+/defender/metrics/json", kNow), Refusal::kForeignReport);
  EXPECT_EQ(reader.CanSubscribe("$aws/#", kNow), Refusal::kForeignReport);
  EXPECT_NE(reader.CanPublish("$aws/events/presence/connected/dev2", false, kNow), Refusal::kNone);
}

TEST_F(DeviceSessionTest, ThreatBOthersReportsAndEventsAreNotReadable) {
  auto s = Session(1, "dev1");
  for (const char* filter :
       {"$aws/things/+/defender/metrics/#", "$aws/things/#", "$aws/#", "$aws/+/dev2/#", "$aws/things/dev2/#",
        "$aws/things/dev2/defender/metrics/json/accepted", "$aws/things/+/+/metrics/json", "$aws/events/#",
        "$aws/events/presence/#", "$aws/events/presence/connected/+", "$aws/events/presence/connected/dev2",
        "$aws/events/+/+/dev1", "$aws/things/+/#", "$share/g/$aws/things/+/defender/metrics/json",
        "$aws/things/dev2/+/metrics/json", "$aws/events/thing/dev2/created", "$aws/events/thing/+/created",
        "$aws/events/thingGroupMembership/thingGroup/g/thing/dev2/added", "$aws/events/thingGroupMembership/#",
        "$aws/events/thingGroupMembership/thingGroup/+/thing/+/added", "$aws/events/thingGroup/dev1/updated",
        "$aws/events/thingTypeAssociation/thing/+/thingType/t/added", "$aws/events/thingType/t/created",
        "$aws/events/thingGroupHierarchy/thingGroup/g/childThingGroup/dev1/added"}) {
    EXPECT_EQ(s.CanSubscribe(filter, kNow), Refusal::kForeignReport) << filter;
  }
  for (const char* filter : {"$SYS/#", "$CONTROL/#", "$share/g/$SYS/#", "$aws/rules/#"}) {
    EXPECT_EQ(s.CanSubscribe(filter, kNow), Refusal::kReservedTopic) << filter;
  }
  for (const char* filter : {"$aws/things/dev1/defender/metrics/json/accepted", "$aws/things/dev1/defender/metrics/#",
                             "$aws/things/dev1/#", "$aws/events/presence/+/dev1", "#", "+/+", "$share/g/a/#",
                             "$aws/things/dev2/shadow/update/accepted", "$aws/events/thing/dev1/#",
                             "$aws/events/thingGroupMembership/thingGroup/+/thing/dev1/added",
                             "$aws/events/thingTypeAssociation/thing/dev1/thingType/+/+"}) {
    EXPECT_EQ(s.CanSubscribe(filter, kNow), Refusal::kNone) << filter;
  }
  EXPECT_EQ(s.CanReceive("$aws/things/dev2/defender/metrics/json", kNow), Refusal::kForeignReport);
  EXPECT_EQ(s.CanReceive("$aws/things/dev2/defender/metrics/json/accepted", kNow), Refusal::kForeignReport);
  EXPECT_EQ(s.CanReceive("$aws/events/presence/connected/dev2", kNow), Refusal::kForeignReport);
  EXPECT_EQ(s.CanReceive("$aws/things/dev1/defender/metrics/json/accepted", kNow), Refusal::kNone);
  auto plus = Session(1, "+");
  EXPECT_EQ(plus.CanSubscribe("$aws/events/presence/connected/+", kNow), Refusal::kForeignReport);
  EXPECT_EQ(plus.CanSubscribe("$aws/things/+/defender/metrics/json", kNow), Refusal::kForeignReport);
}

TEST_F(DeviceSessionTest, ThreatCSharedSubscriptionsAreStripped) {
  auto s = Session(1, "dev1");
  EXPECT_EQ(s.CanSubscribe("secret/#", kNow), Refusal::kExplicitDeny) << "by the policy of the thing's group";
  EXPECT_EQ(s.CanSubscribe("$share/x/secret/#", kNow), Refusal::kExplicitDeny);
  auto rogue = Session(1, "RogueAgent");
  EXPECT_EQ(rogue.CanSubscribe("secret/#", kNow), Refusal::kNone) << "group policies: only as the thing itself";
}

TEST_F(DeviceSessionTest, ThreatDAnotherThingsClientIdIsRefused) {
  EXPECT_EQ(Session(1, "dev1").CanConnect({}, kNow), Refusal::kNone);
  EXPECT_EQ(Session(1, "RogueAgent").CanConnect({}, kNow), Refusal::kNone);
  EXPECT_EQ(Session(1, "dev2").CanConnect({}, kNow), Refusal::kForeignClientId);
  EXPECT_EQ(Session(4, "dev2").CanConnect({}, kNow), Refusal::kForeignClientId);
  EXPECT_EQ(Session(4, "nobodys").CanConnect({}, kNow), Refusal::kNone);
  EXPECT_EQ(Session(1, "nobodys").CanConnect({}, kNow), Refusal::kForeignClientId);
  for (const std::string& bad : {std::string(), std::string("$x"), std::string(129, 'x'), std::string("\xff")}) {
    EXPECT_EQ(Session(1, bad).CanConnect({}, kNow), Refusal::kClientIdInvalid);
  }
  EXPECT_EQ(Session(1, std::string(128, 'x')).CanConnect({}, kNow), Refusal::kNone);
}

TEST_F(DeviceSessionTest, ThreatEReportsForOthers) {
  const char* topic = "$aws/things/dev2/defender/metrics/json";
  EXPECT_EQ(Session(1, "dev1").CanPublish(topic, false, kNow), Refusal::kForeignReport);
  EXPECT_EQ(Session(1, "RogueAgent").CanPublish("$aws/things/dev1/defender/metrics/json", false, kNow), Refusal::kNone);
  EXPECT_EQ(Session(3, "gateway").CanPublish(topic, false, kNow), Refusal::kNone) << "several things: by policy";
  rules_.report_for_others = true;
  EXPECT_EQ(Session(1, "dev1").CanPublish(topic, false, kNow), Refusal::kNone);
  EXPECT_EQ(Session(1, "dev1").CanSubscribe("$aws/things/dev2/defender/metrics/json/accepted", kNow), Refusal::kNone);
  EXPECT_EQ(Session(1, "dev1").CanSubscribe("$aws/things/dev2/defender/metrics/json", kNow), Refusal::kForeignReport);
}

TEST_F(DeviceSessionTest, ChangesHoldFromTheNextCheckOn) {
  auto s = Session(1, "dev1");
  ASSERT_EQ(s.CanConnect({}, kNow), Refusal::kNone);
  ASSERT_EQ(s.CanPublish("a", false, kNow), Refusal::kNone);
  Apply({PolicyEntry{0, "all", Body(R"({"Effect":"Deny","Action":"iot:Publish","Resource":"*"})")}});
  EXPECT_EQ(s.CanPublish("a", false, kNow), Refusal::kExplicitDeny);
  EXPECT_EQ(s.CanStay(kNow), Refusal::kImplicitDeny);
  Apply({RemovePolicy{0}});
  EXPECT_EQ(s.CanPublish("a", false, kNow), Refusal::kImplicitDeny) << "an unknown policy allows nothing";
  CertificateEntry revoked = Certificate(1, {"dev1"});
  revoked.status = CertificateStatus::kRevoked;
  Apply({revoked});
  EXPECT_EQ(s.CanStay(kNow), Refusal::kCertificateNotActive);
  Apply({RemoveCertificate{Print(1)}});
  EXPECT_EQ(s.CanReceive("a", kNow), Refusal::kUnknownCertificate);
}

TEST_F(DeviceSessionTest, ExpiryEndsALiveSession) {
  auto s = Session(1, "dev1");
  EXPECT_EQ(s.CanStay(kNow), Refusal::kNone);
  EXPECT_EQ(s.CanStay(kNow + std::chrono::hours(2)), Refusal::kCertificateExpired);
}

TEST_F(DeviceSessionTest, OverrideReplacesPolicies) {
  auto s = Session(1, "dev1");
  auto rogue = Session(1, "RogueAgent");
  ThingEntry quarantined{.name = "dev1", .policy_set = 1, .certificates = {Print(1)}};
  quarantined.override_policies = ThingOverride{2};
  Apply({quarantined});
  EXPECT_EQ(s.CanStay(kNow), Refusal::kNone) << "the repair lane lets it connect";
  EXPECT_EQ(s.CanPublish("a", false, kNow), Refusal::kOverride);
  EXPECT_EQ(rogue.CanPublish("a", false, kNow), Refusal::kOverride) << "another client id does not help";
  quarantined.override_policies = ThingOverride{};
  Apply({quarantined});
  EXPECT_EQ(s.CanStay(kNow), Refusal::kOverride);
  quarantined.override_policies.reset();
  Apply({quarantined});
  EXPECT_EQ(s.CanPublish("a", false, kNow), Refusal::kNone);
}

TEST_F(DeviceSessionTest, CountsForTheRightThing) {
  EXPECT_EQ(Session(1, "dev1").CountsFor(), "dev1");
  EXPECT_EQ(Session(1, "RogueAgent").CountsFor(), "dev1");
  EXPECT_EQ(Session(3, "dev4").CountsFor(), "dev4");
  EXPECT_EQ(Session(3, "other").CountsFor(), std::nullopt);
  EXPECT_EQ(Session(4, "other").CountsFor(), std::nullopt);
}

}  // namespace
}  // namespace fleetward::policy
