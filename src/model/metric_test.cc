#include "fleetward/model/metric.h"

#include <gtest/gtest.h>

#include "fleetward/model/behavior.h"

namespace fleetward::model {
namespace {

TEST(Metric, CatalogueIsIndexedByItsOwnIds) {
  for (std::size_t i = 0; i < BuiltinMetrics().size(); ++i) {
    const MetricInfo& info = BuiltinMetrics()[i];
    EXPECT_EQ(IdOf(info.id), i);
    EXPECT_EQ(FindBuiltinMetric(info.name), &info);
  }
  EXPECT_EQ(FindBuiltinMetric("aws:destination-ip-address"), nullptr);  // the singular is no metric
}

TEST(Metric, NamesRoundTrip) {
  for (const char* name : {"string-list", "ip-address-list", "number-list", "number"}) {
    EXPECT_EQ(CustomMetricTypeName(*ParseCustomMetricType(name)), name);
  }
  EXPECT_FALSE(ParseCustomMetricType("strings"));
  EXPECT_EQ(OperatorName(*ParseOperator("not-in-port-set")), "not-in-port-set");
  EXPECT_FALSE(ParseOperator("equals"));
}

}  // namespace
}  // namespace fleetward::model
