#include <gtest/gtest.h>

#include <set>

#include "fleetward/api/iot/audit.h"
#include "fleetward/api/iot/detect.h"
#include "fleetward/api/iot/things.h"
#include "fleetward/api/operations.h"
#include "fleetward/api/sns/sns.h"
#include "patterns.h"

namespace fleetward::api {
namespace {

TEST(Patterns, AllCompile) {
  EXPECT_GT(patterns::All().size(), 50u);
  for (const codec::Pattern* pattern : patterns::All()) EXPECT_TRUE(pattern->Compiles()) << pattern->shown();
}

TEST(Behavior, RoundTripsThroughItsJson) {
  const std::string json =
      R"({"name":"b","metric":"aws:destination-ip-addresses","metricDimension":{"dimensionName":"d","operator":"NOT_IN"},)"
      R"("criteria":{"comparisonOperator":"in-cidr-set","value":{"cidrs":["10.0.0.0/8"]},)"
      R"("consecutiveDatapointsToAlarm":10},"suppressAlerts":true,"exportMetric":false})";
  Result<iot::Behavior> behavior = FromJsonText<iot::Behavior>(json);
  ASSERT_TRUE(behavior.ok()) << behavior.error().message();
  EXPECT_EQ(behavior->criteria->comparison_operator, iot::ComparisonOperator::kInCidrSet);
  EXPECT_EQ(behavior->metric_dimension->operator_, iot::DimensionValueOperator::kNotIn);
  EXPECT_EQ(behavior->export_metric, false);  // from the overlay
  EXPECT_EQ(ToJsonText(*behavior), json);
}

std::string FaultOf(std::string_view json) {
  Result<iot::Behavior> behavior = FromJsonText<iot::Behavior>(json);
  return behavior.ok() ? "" : behavior.error().message();
}

TEST(Behavior, FaultsNameTheMember) {
  EXPECT_NE(FaultOf("{}").find("'name'"), std::string::npos);
  EXPECT_NE(FaultOf(R"({"name":"a b"})").find("[a-zA-Z0-9:_-]+"), std::string::npos);
  EXPECT_NE(FaultOf(R"({"name":"b","criteria":{"comparisonOperator":"about"}})").find("criteria.comparisonOperator"),
            std::string::npos);
  EXPECT_NE(FaultOf(R"({"name":"b","criteria":{"value":{"ports":[1,70000]}}})").find("criteria.value.ports[1]"),
            std::string::npos);
  EXPECT_NE(FaultOf(R"({"name":"b","criteria":{"value":{"count":-1}}})").find("criteria.value.count"), std::string::npos);
  EXPECT_NE(FaultOf(R"({"name":"b","criteria":[]})").find("criteria: must be a structure"), std::string::npos);
}

TEST(Requests, LocationsAreReadFromTheirPlaces) {
  RequestParts parts;
  parts.labels = {{"securityProfileName", "p"}};
  parts.query = {{"expectedVersion", "3"}};
  parts.body = R"({"securityProfileName":"ignored","deleteMetricsExportConfig":true,)"
               R"("metricsExportConfig":{"mqttTopic":"t","roleArn":"arn:aws:iam::123456789012:role/r"}})";
  iot::UpdateSecurityProfileRequest request;
  Status parsed = iot::UpdateSecurityProfile::ParseRequest(parts, request);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(request.security_profile_name, "p");
  EXPECT_EQ(request.expected_version, 3);
  EXPECT_EQ(request.delete_metrics_export_config, true);
  EXPECT_EQ(request.metrics_export_config->mqtt_topic, "t");
  parts = {};
  parts.labels = {{"thingName", "t"}};
  parts.headers = {{"X-Amzn-Principal", "arn:aws:iot:r:a:cert/x"}};
  iot::AttachThingPrincipalRequest attach;
  ASSERT_TRUE(iot::AttachThingPrincipal::ParseRequest(parts, attach).ok());
  EXPECT_EQ(attach.principal, "arn:aws:iot:r:a:cert/x");
  parts.headers.clear();
  EXPECT_FALSE(iot::AttachThingPrincipal::ParseRequest(parts, attach).ok());
}

TEST(Requests, TheOverlayAddsAuditCheckConfiguration) {
  RequestParts parts;
  parts.body = R"({"auditCheckConfigurations":{"DEVICE_CERTIFICATE_AGE_CHECK":)"
               R"({"enabled":true,"configuration":{"CERT_AGE_THRESHOLD_IN_DAYS":"365"}}}})";
  iot::UpdateAccountAuditConfigurationRequest request;
  Status parsed = iot::UpdateAccountAuditConfiguration::ParseRequest(parts, request);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  const auto& check = request.audit_check_configurations->at("DEVICE_CERTIFICATE_AGE_CHECK");
  EXPECT_EQ(check.configuration->at("CERT_AGE_THRESHOLD_IN_DAYS"), "365");
}

TEST(Responses, EmptyOnesAreAnEmptyObject) {
  ResponseParts out;
  iot::AttachSecurityProfile::WriteResponse({}, out);
  EXPECT_EQ(out.body, "{}");
}

TEST(Responses, TimesAreEpochSeconds) {
  iot::DescribeSecurityProfileResponse response;
  response.creation_date = FromMillis(1'700'000'000'500);
  response.behaviors.emplace();
  ResponseParts out;
  iot::DescribeSecurityProfile::WriteResponse(response, out);
  EXPECT_EQ(out.body, R"({"behaviors":[],"creationDate":1700000000.5})");
}

TEST(Operations, AreNamedOnceAndClassified) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const OperationInfo* operation : OfferedOperations()) {
    EXPECT_TRUE(seen.insert({operation->service, operation->name}).second) << operation->name;
    EXPECT_TRUE(operation->offered);
    if (operation->method == "DELETE" && operation->service == "iot" && !operation->name.starts_with("DeleteAudit")) {
      EXPECT_NE(operation->access, Access::kRead) << operation->name;
    }
  }
  for (const OperationInfo& operation : OperationsNotOffered()) EXPECT_FALSE(operation.offered);
  EXPECT_EQ(iot::ListThings::kInfo.access, Access::kRead);
  EXPECT_EQ(iot::PutVerificationStateOnViolation::kInfo.access, Access::kAct);
  EXPECT_EQ(iot::CreateSecurityProfile::kInfo.access, Access::kConfigure);
}

}  // namespace
}  // namespace fleetward::api
