// Detect's operations through the router, with signed calls as clients send them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleetward/access/authenticator.h"
#include "fleetward/access/key_store.h"
#include "fleetward/alarms/codec.h"
#include "fleetward/api/handlers/detect.h"
#include "fleetward/crypto/certificate_authority.h"
#include "fleetward/crypto/key_generator.h"
#include "fleetward/store/memory_store.h"
#include "fleetward/telemetry/layout.h"
#include "fleetward/telemetry/violation_store.h"

namespace fleetward::api {
namespace {

using nlohmann::json;

struct DetectApiTest : ::testing::Test {
  struct Answer {
    int status = 0;
    std::string error;
    json body;
  };

  ManualClock clock{FromMillis(1'790'000'000'000)};
  model::AccountId account{"123456789012"};
  std::unique_ptr<store::MemoryDatabase> database = store::MemoryDatabase::Create(clock);
  std::unique_ptr<store::ControlStore> control = database->Account(account);
  std::unique_ptr<store::MemoryBlockStore> blocks = store::MakeMemoryBlockStore(telemetry::TelemetryFamilies().size());
  crypto::CertificateAuthority ca = std::move(crypto::CertificateAuthority::Create(clock.Now())).value();
  crypto::KeyGenerator generator{{.max_waiting = 4, .ready_keys = 0}};
  registry::Directory directory{account};
  registry::ChangeHub hub;
  registry::NoEnforcement enforcement;
  registry::Registry registry{
      registry::Context{*control, clock, {"us-east-1", account}, {}, hub, enforcement}, ca, generator};
  telemetry::Recorder recorder;
  telemetry::Query telemetry{*blocks, {&recorder}};
  alarms::VerificationBook verifications{*control, clock};
  alarms::AlarmQuery alarms{*blocks, verifications};
  std::unique_ptr<access::KeyStore> keys =
      std::move(access::KeyStore::Open(*control, crypto::SecretBox(std::string(32, 'k')), clock)).value();
  access::Authenticator authenticator{*keys, clock, {}};
  access::NewAccessKey admin = std::move(keys->Create(access::Role::kAdmin, "", "test")).value();
  std::unique_ptr<Router> router;

  void SetUp() override {
    hub.Add(directory);
    RouterOptions options;
    options.account_id = account.value();
    options.region = "us-east-1";
    options.page_token_key = std::string(32, 'p');
    options.authenticator = &authenticator;
    options.clock = &clock;
    router = std::make_unique<Router>(options);
    RegisterDetectHandlers(*router, {registry, directory, telemetry, alarms, verifications});
  }

  Answer Call(const std::string& method, const std::string& target, const std::string& body = "") {
    http::Request request{method, target, {{"Host", "localhost:8443"}}, body, "192.0.2.7"};
    crypto::HttpCall call{request.method, request.target, request.headers, request.body};
    auto added = crypto::SignCall(call, {admin.id, admin.secret, "us-east-1", "iot"}, clock.Now());
    request.headers.insert(request.headers.end(), added.begin(), added.end());
    http::Response response = router->Serve(request);
    Answer answer{response.status, "", json::parse(response.body, nullptr, false)};
    for (const auto& [name, value] : response.headers) {
      if (name == "x-amzn-ErrorType") answer.error = value;
    }
    return answer;
  }
  std::string MetricValues(const std::string& thing, const std::string& metric, const std::string& more = "") {
    return "/metric-values?thingName=" + thing + "&metricName=" + metric +
           "&startTime=1789999000&endTime=1790009000" + more;
  }
  std::string Target(const std::string& what) { return "arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3A" + what; }
};

TEST_F(DetectApiTest, AProfileComesBackAsItWasSent) {
  ASSERT_EQ(Call("POST", "/custom-metric/cpu", R"({"metricType":"number","clientRequestToken":"t"})").status, 200);
  ASSERT_EQ(Call("POST", "/dimensions/d",
                 R"({"type":"TOPIC_FILTER","stringValues":["a/${iot:ClientId}/#"],"clientRequestToken":"t"})").status, 200);
  std::string sent = R"({
    "behaviors":[
      {"name":"n","metric":"cpu","criteria":{"comparisonOperator":"less-than","value":{"number":0.25}}},
      {"name":"c","metric":"cpu","criteria":{"comparisonOperator":"less-than","value":{"count":7}},"suppressAlerts":false},
      {"name":"ip","metric":"aws:destination-ip-addresses",
       "criteria":{"comparisonOperator":"in-cidr-set","value":{"cidrs":["10.1.2.3/8","192.0.2.1"]}}},
      {"name":"p","metric":"aws:listening-tcp-ports",
       "criteria":{"comparisonOperator":"in-port-set","value":{"ports":[22,443]},"consecutiveDatapointsToClear":2}},
      {"name":"d","metric":"aws:num-messages-sent","metricDimension":{"dimensionName":"d"},
       "criteria":{"comparisonOperator":"greater-than","durationSeconds":300,"statisticalThreshold":{"statistic":"p99.99"}}},
      {"name":"bare"}],
    "alertTargets":{"SNS":{"alertTargetArn":"arn:aws:sns:us-east-1:123456789012:t","roleArn":"arn:aws:iam::123456789012:role/r"}},
    "additionalMetricsToRetain":["aws:num-disconnects","aws:all-bytes-in"]})";
  Answer created = Call("POST", "/security-profiles/P", sent);
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(created.body["securityProfileArn"], "arn:aws:iot:us-east-1:123456789012:securityprofile/P");
  json shown = Call("GET", "/security-profiles/P").body, given = json::parse(sent);
  for (const char* member : {"behaviors", "alertTargets", "additionalMetricsToRetain"}) {
    EXPECT_EQ(shown[member], given[member]) << member;
  }
  EXPECT_EQ(shown["additionalMetricsToRetainV2"],
            json::parse(R"([{"metric":"aws:num-disconnects"},{"metric":"aws:all-bytes-in"}])"));
  EXPECT_FALSE(shown.contains("securityProfileDescription"));
  EXPECT_EQ(shown["version"], 1);
  ASSERT_EQ(Call("POST", "/security-profiles/empty", "{}").status, 200);
  EXPECT_FALSE(Call("GET", "/security-profiles/empty").body.contains("behaviors"));
  EXPECT_EQ(Call("POST", "/security-profiles/P", "{}").error, "ResourceAlreadyExistsException");
  EXPECT_EQ(Call("DELETE", "/dimensions/d").error, "InvalidRequestException");
  EXPECT_EQ(Call("DELETE", "/custom-metric/cpu").error, "InvalidRequestException");
}

TEST_F(DetectApiTest, UpdatesAndVersions) {
  ASSERT_EQ(Call("POST", "/security-profiles/P", R"({"securityProfileDescription":"x"})").status, 200);
  Answer updated = Call("PATCH", "/security-profiles/P?expectedVersion=1", R"({"behaviors":[{"name":"b"}]})");
  ASSERT_EQ(updated.status, 200) << updated.body;
  EXPECT_EQ(updated.body["version"], 2);
  EXPECT_EQ(updated.body["securityProfileDescription"], "x");
  EXPECT_EQ(Call("PATCH", "/security-profiles/P?expectedVersion=1", "{}").error, "VersionConflictException");
  EXPECT_EQ(Call("PATCH", "/security-profiles/P", R"({"deleteBehaviors":true,"behaviors":[]})").error,
            "InvalidRequestException");
  EXPECT_EQ(Call("PATCH", "/security-profiles/none", "{}").error, "ResourceNotFoundException");
  EXPECT_EQ(Call("DELETE", "/security-profiles/P?expectedVersion=9").error, "VersionConflictException");
  EXPECT_EQ(Call("DELETE", "/security-profiles/P").status, 200);
  EXPECT_EQ(Call("DELETE", "/security-profiles/P").status, 200);
}

TEST_F(DetectApiTest, TargetsAreListedFromBothSides) {
  ASSERT_EQ(Call("POST", "/security-profiles/P", "{}").status, 200);
  std::string all = Target("all%2Fthings");
  ASSERT_EQ(Call("PUT", "/security-profiles/P/targets?securityProfileTargetArn=" + all).status, 200);
  json targets = Call("GET", "/security-profiles/P/targets").body;
  EXPECT_EQ(targets["securityProfileTargets"][0]["arn"], "arn:aws:iot:us-east-1:123456789012:all/things");
  json mappings = Call("GET", "/security-profiles-for-target?securityProfileTargetArn=" + all).body;
  EXPECT_EQ(mappings["securityProfileTargetMappings"][0]["securityProfileIdentifier"]["name"], "P");
  EXPECT_EQ(Call("PUT", "/security-profiles/P/targets?securityProfileTargetArn=" + Target("thinggroup%2Fg")).error,
            "ResourceNotFoundException");
  ASSERT_EQ(Call("DELETE", "/security-profiles/P/targets?securityProfileTargetArn=" + all).status, 200);
  EXPECT_TRUE(Call("GET", "/security-profiles/P/targets").body["securityProfileTargets"].empty());
}

TEST_F(DetectApiTest, APageTokenIsGoodUnderItsFiltersOnly) {
  for (const char* name : {"P", "Q"}) {
    ASSERT_EQ(Call("POST", std::string("/security-profiles/") + name, R"({"additionalMetricsToRetain":["aws:num-disconnects"]})").status, 200);
    ASSERT_EQ(Call("PUT", std::string("/security-profiles/") + name + "/targets?securityProfileTargetArn=" + Target("all%2Fthings")).status, 200);
  }
  for (const std::string& list : {std::string("/security-profiles?metricName=aws%3Anum-disconnects"),
                                  "/security-profiles-for-target?securityProfileTargetArn=" + Target("all%2Fthings")}) {
    Answer first = Call("GET", list + "&maxResults=1");
    ASSERT_TRUE(first.body.contains("nextToken")) << first.body;
    std::string token = first.body["nextToken"].get<std::string>();
    std::string escaped;
    for (char c : token) escaped += c == '+' ? "%2B" : c == '/' ? "%2F" : c == '=' ? "%3D" : std::string(1, c);
    EXPECT_EQ(Call("GET", list + "&maxResults=1&nextToken=" + escaped).status, 200);
    bool by_metric = list.find("metricName") != std::string::npos;
    std::string other = by_metric ? "/security-profiles?metricName=aws%3Anum-messages-sent&nextToken="
                                  : list + "&recursive=true&nextToken=";
    EXPECT_EQ(Call("GET", other + escaped).error, "InvalidRequestException") << list;
  }
}

TEST_F(DetectApiTest, ValidationNamesTheFault) {
  Answer answer = Call("POST", "/security-profile-behaviors/validate",
                       R"({"behaviors":[{"name":"CellularBandwidth","metric":"aws:message-byte-size","criteria":)"
                       R"({"comparisonOperator":"greater-than","value":{"count":128},"consecutiveDatapointsToAlarm":100000}}]})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body["valid"], false);
  EXPECT_EQ(answer.body["validationErrors"][0]["errorMessage"],
            "Behavior CellularBandwidth is malformed. consecutiveDatapointsToAlarm 100000 should be in range[1,10]");
  // A value that is none hides nothing else.
  constexpr char kMany[] = R"([{"name":"b","metric":"aws:source-ip-address","criteria":{"comparisonOperator":"in-port-set",
      "value":{"cidrs":["10.0.0.0/33"]},"consecutiveDatapointsToClear":0}},{"name":"b"}])";
  answer = Call("POST", "/security-profile-behaviors/validate", R"({"behaviors":)" + std::string(kMany) + "}");
  EXPECT_EQ(answer.body, json::parse(R"({"valid":false,"validationErrors":[
      {"errorMessage":"Behavior b is malformed. consecutiveDatapointsToClear 0 should be in range[1,10]"},
      {"errorMessage":"Behavior b is malformed. cidrs: 10.0.0.0/33 is no IP address or prefix"},
      {"errorMessage":"Behavior b is malformed. comparisonOperator in-port-set cannot be used with metric aws:source-ip-address"},
      {"errorMessage":"Behavior b is malformed. the name is used by another behavior of the profile"}]})"));
  answer = Call("POST", "/security-profile-behaviors/validate", R"({"behaviors":[{"name":"b","metric":"aws:num-disconnects",
      "criteria":{"comparisonOperator":"less-than","durationSeconds":300,"value":{"count":1},"statisticalThreshold":{}}}]})");
  EXPECT_EQ(answer.body["valid"], false) << answer.body;
  answer = Call("POST", "/security-profiles/P", R"({"behaviors":)" + std::string(kMany) + "}");
  EXPECT_EQ(answer.error, "InvalidRequestException");
  answer = Call("POST", "/security-profile-behaviors/validate", R"({"behaviors":[{"name":"b"}]})");
  EXPECT_EQ(answer.body, json::parse(R"({"valid":true,"validationErrors":[]})"));
}

TEST_F(DetectApiTest, MetricValuesOfWatchedSeriesOnly) {
  telemetry::Sample sample;
  sample.entity = registry::UnregisteredEntity(account, "dev");
  sample.time = FromMillis(1'790'000'000'000);
  sample.flags = telemetry::kFlagLate;
  sample.AddCount({model::IdOf(model::BuiltinMetric::kAllBytesOut), 0}, 42);
  recorder.Add(sample, 1);
  Answer answer = Call("GET", MetricValues("dev", "aws%3Aall-bytes-out"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(answer.body["metricDatumList"].empty());
  ASSERT_EQ(Call("POST", "/security-profiles/P", R"({"additionalMetricsToRetain":["aws:all-bytes-out"]})").status, 200);
  ASSERT_EQ(Call("PUT", "/security-profiles/P/targets?securityProfileTargetArn=" + Target("all%2Fthings")).status, 200);
  answer = Call("GET", MetricValues("dev", "aws%3Aall-bytes-out"));
  ASSERT_EQ(answer.body["metricDatumList"].size(), 1u) << answer.body;
  EXPECT_EQ(answer.body["metricDatumList"][0]["value"]["count"], 42);
  EXPECT_EQ(answer.body["metricDatumList"][0]["timestamp"], 1'790'000'000);
  EXPECT_TRUE(Call("GET", MetricValues("nobody", "aws%3Aall-bytes-out")).body["metricDatumList"].empty());
  EXPECT_EQ(Call("GET", MetricValues("dev", "nothing")).error, "ResourceNotFoundException");
  EXPECT_EQ(Call("GET", MetricValues("dev", "aws%3Anum-messages-sent", "&dimensionName=none")).error,
            "ResourceNotFoundException");
  EXPECT_EQ(Call("GET", "/metric-values?thingName=dev&metricName=aws%3Aall-bytes-out&startTime=2&endTime=1").error,
            "InvalidRequestException");
}

TEST_F(DetectApiTest, ViolationsAreListedAndJudged) {
  store::Batch batch;
  model::ActiveViolation active;
  active.violation_id = Id128{7, 7};
  active.thing_name = model::ThingName("dev");
  active.profile = model::SecurityProfileName("P");
  active.behavior.name = model::BehaviorName("b");
  active.last_value = model::Count{64};
  active.start_time = active.last_violation_time = clock.Now();
  telemetry::PutActive(batch, active.violation_id, alarms::EncodeActive(active));
  ASSERT_TRUE(blocks->Write(batch).ok());
  std::string id = active.violation_id.Hex();
  ASSERT_EQ(Call("POST", "/violations/verification-state/" + id,
                 R"({"verificationState":"FALSE_POSITIVE","verificationStateDescription":"known"})").status, 200);
  json shown = Call("GET", "/active-violations?thingName=dev&verificationState=FALSE_POSITIVE").body;
  ASSERT_EQ(shown["activeViolations"].size(), 1u) << shown;
  const json& violation = shown["activeViolations"][0];
  EXPECT_EQ(violation["violationId"], id);
  EXPECT_EQ(violation["lastViolationValue"]["count"], 64);
  EXPECT_EQ(violation["verificationStateDescription"], "known");
  EXPECT_EQ(violation["violationStartTime"], 1'790'000'000);
  EXPECT_TRUE(Call("GET", "/active-violations?thingName=other").body["activeViolations"].empty());
  EXPECT_EQ(Call("POST", "/violations/verification-state/" + Id128{1, 2}.Hex(),
                 R"({"verificationState":"UNKNOWN"})").error, "InvalidRequestException");
  EXPECT_TRUE(Call("GET", "/violation-events?startTime=1789999000&endTime=1790009000").body["violationEvents"].empty());
}

}  // namespace
}  // namespace fleetward::api
