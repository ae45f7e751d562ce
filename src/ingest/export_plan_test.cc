#include "export_plan.h"

#include <gtest/gtest.h>

#include "fleetward/model/dimension.h"
#include "fleetward/model/json.h"

namespace fleetward::ingest {
namespace {

model::SecurityProfile Profile(const std::string& rest) {
  auto profile = model::ParseSecurityProfile(
      R"({"securityProfileName":"P","metricsExportConfig":{"mqttTopic":"t","roleArn":"r"},)" + rest + "}");
  EXPECT_TRUE(profile.ok());
  return profile.value();
}

TEST(ExportPlan, TakesWhatIsMarkedOnceEach) {
  ExportPlan plan;
  plan.Set(Profile(R"("behaviors":[{"name":"a","metric":"aws:all-bytes-in","exportMetric":true},
      {"name":"b","metric":"aws:all-bytes-out","exportMetric":false},{"name":"c","metric":"aws:all-bytes-in","exportMetric":true},
      {"name":"d","exportMetric":true}],
      "additionalMetricsToRetainV2":[{"metric":"aws:all-bytes-in","exportMetric":true},{"metric":"aws:all-packets-in"},
      {"metric":"cpu","exportMetric":true},{"metric":"aws:num-messages-sent","exportMetric":true,
       "metricDimension":{"dimensionName":"d","operator":"NOT_IN"}}])"));
  ASSERT_EQ(plan.profiles().size(), 1U);
  const ProfileExport& exported = plan.profiles().at("P");
  EXPECT_EQ(exported.topic, "t");
  ASSERT_EQ(exported.metrics.size(), 3U);
  plan.Resolve({}, {});
  EXPECT_EQ(exported.metrics[0].key, (telemetry::SeriesKey{model::IdOf(model::BuiltinMetric::kAllBytesIn), 0}));
  EXPECT_FALSE(exported.metrics[1].key) << "an unknown custom metric";
  EXPECT_FALSE(exported.metrics[2].key) << "an unknown dimension";
  CustomMetricTable customs;
  customs["cpu"] = {model::CustomMetricName("cpu"), 70, model::CustomMetricType::kNumber};
  plan.Resolve(customs, {{"d", 6}});
  EXPECT_EQ(exported.metrics[1].key, (telemetry::SeriesKey{70, 0}));
  EXPECT_EQ(exported.metrics[2].key, (telemetry::SeriesKey{model::IdOf(model::BuiltinMetric::kNumMessagesSent), 13}));
  EXPECT_FALSE(plan.ExportsOffline());
}

TEST(ExportPlan, IsEmptyWithoutConfigurationOrMetrics) {
  ExportPlan plan;
  plan.Set(Profile(R"("behaviors":[{"name":"a","metric":"aws:disconnect-duration","exportMetric":true}])"));
  plan.Resolve({}, {});
  EXPECT_TRUE(plan.ExportsOffline());
  plan.Set(Profile(R"("behaviors":[{"name":"a","metric":"aws:disconnect-duration"}])"));
  EXPECT_TRUE(plan.empty());
  auto without = Profile(R"("behaviors":[{"name":"a","metric":"aws:all-bytes-in","exportMetric":true}])");
  without.metrics_export.reset();
  plan.Set(without);
  EXPECT_TRUE(plan.empty());
}

TEST(ExportItem, IsTheServicesSchema) {
  ExportedMetric metric{"aws:num-disconnects", std::nullopt, {}};
  EXPECT_EQ(ExportItem(metric, "pump-\"12\xff", R"({"count":3})", FromMillis(1'700'000'400'000)),
            "{\"name\":\"aws:num-disconnects\",\"thing\":\"pump-\\\"12\xef\xbf\xbd\",\"value\":{\"count\":3},"
            "\"version\":1,\"timestamp\":1700000400}");
  metric.dimension = model::MetricDimension{model::DimensionName("d1"), model::DimensionOperator::kNotIn};
  EXPECT_EQ(ExportItem(metric, "t", ExportedSizes(1, 9, 12), FromMillis(1'700'000'400'250)),
            R"({"name":"aws:num-disconnects","thing":"t","value":{"count":9,"min":1,"max":9,"total":12},"version":251,)"
            R"("timestamp":1700000400,"dimension":{"name":"d1","operator":"NOT_IN"}})");
}

}  // namespace
}  // namespace fleetward::ingest
