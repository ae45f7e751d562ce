#include "fleetward/base/counters.h"

#include <gtest/gtest.h>

namespace fleetward {
namespace {

TEST(Counters, RenderGroupsFamiliesAndKeepsOneSeriesPerLabelSet) {
  CounterRegistry registry;
  registry.AddCounter("fleetward_b_total", "B.", "reason=\"x\"").Add(2);
  registry.AddCounter("fleetward_b_total", "B.", "reason=\"x\"").Add();
  registry.AddGauge("fleetward_a", "A.").Set(1.5);
  EXPECT_EQ(registry.Render(),
            "# HELP fleetward_a A.\n# TYPE fleetward_a gauge\nfleetward_a 1.5\n"
            "# HELP fleetward_b_total B.\n# TYPE fleetward_b_total counter\nfleetward_b_total{reason=\"x\"} 3\n");
}

}  // namespace
}  // namespace fleetward
