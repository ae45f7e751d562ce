#include "test_registry.h"

namespace fleetward::registry {
namespace {

using Name = model::CustomMetricName;

struct CustomMetricsTest : TestRegistry {
  Result<CustomMetric> Make(const std::string& name, const std::string& token = "t",
                            model::CustomMetricType type = model::CustomMetricType::kNumber) {
    return registry->custom_metrics.Create("test", {Name(name), type, std::nullopt, token, {}});
  }
  Status Use(const std::string& metric) {
    ProfileContent content;
    content.metrics_to_retain = {{metric}};
    auto made = registry->security_profiles.Create("test", {model::SecurityProfileName("user"), content, {}});
    return made.ok() ? Status() : Status(made.error());
  }
};

TEST_F(CustomMetricsTest, NumbersAreNeverGivenAgain) {
  auto first = Make("a");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->id, model::kFirstCustomMetric);
  EXPECT_EQ(Make("b")->id, model::kFirstCustomMetric + 1);
  EXPECT_OK(registry->custom_metrics.Delete("test", Name("b")));
  EXPECT_OK(registry->custom_metrics.Delete("test", Name("a")));
  EXPECT_EQ(Make("a", "t2")->id, model::kFirstCustomMetric + 2);
}

TEST_F(CustomMetricsTest, TheTokenMakesCreationRepeatable) {
  auto first = Make("a", "t1");
  auto again = Make("a", "t1");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->id, first->id);
  EXPECT_CODE(Make("a", "t2"), Code::kAlreadyExists);
  EXPECT_CODE(Make("a", "t1", model::CustomMetricType::kStringList), Code::kAlreadyExists);
  EXPECT_CODE(Make("aws:all-bytes-out"), Code::kInvalidArgument);
  EXPECT_CODE(Make("fleetward:report-silence"), Code::kInvalidArgument);
}

TEST_F(CustomMetricsTest, UpdateChangesTheDisplayNameAlone) {
  Make("a").value();
  clock.Advance(std::chrono::seconds(5));
  auto updated = registry->custom_metrics.Update("test", Name("a"), "Children");
  ASSERT_TRUE(updated.ok());
  auto read = registry->custom_metrics.Describe(Name("a"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->display_name, "Children");
  EXPECT_EQ(read->modified - read->created, std::chrono::seconds(5));
  EXPECT_CODE(registry->custom_metrics.Update("test", Name("x"), "y"), Code::kNotFound);
}

TEST_F(CustomMetricsTest, DeletedOnlyWhenUnused) {
  Make("a").value();
  EXPECT_OK(Use("a"));
  EXPECT_CODE(registry->custom_metrics.Delete("test", Name("a")), Code::kInvalidArgument);
  EXPECT_OK(registry->security_profiles.Delete("test", model::SecurityProfileName("user"), std::nullopt));
  EXPECT_OK(registry->custom_metrics.Delete("test", Name("a")));
  EXPECT_OK(registry->custom_metrics.Delete("test", Name("a")));
  EXPECT_CODE(registry->custom_metrics.Describe(Name("a")), Code::kNotFound);
}

TEST_F(CustomMetricsTest, TheQuotaHolds) {
  for (std::size_t i = 0; i < quotas.custom_metrics; ++i) {
    auto made = Make("m" + std::to_string(i));
    ASSERT_TRUE(made.ok());
  }
  EXPECT_CODE(Make("more"), Code::kLimitExceeded);
  EXPECT_EQ(registry->custom_metrics.All()->size(), quotas.custom_metrics);
}

TEST_F(CustomMetricsTest, PagesWalkTheNames) {
  for (const char* name : {"a", "b", "c"}) Make(name).value();
  auto page = registry->custom_metrics.List({{}, 2, false});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.size(), 2u);
  auto rest = registry->custom_metrics.List({page->next, 2, false});
  ASSERT_TRUE(rest.ok());
  ASSERT_EQ(rest->items.size(), 1u);
  EXPECT_EQ(rest->items[0].value(), "c");
  EXPECT_TRUE(rest->next.empty());
}

}  // namespace
}  // namespace fleetward::registry
