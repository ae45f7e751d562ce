#include "options.h"

#include <gtest/gtest.h>

#include <vector>

namespace fleetward::plugin {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs Needed() {
  return {{"snapshot_file", "/s"}, {"ingest_socket", "/i"}, {"control_socket", "/c"}, {"control_secret_file", "/k"}};
}

TEST(OptionsTest, DefaultsAndValues) {
  Pairs pairs = Needed();
  pairs.push_back({"bucket_seconds", "10"});
  pairs.push_back({"close_on_denied_subscribe", "false"});
  pairs.push_back({"max_publishes_per_second", "0"});
  auto options = ParseOptions(pairs);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->bucket_seconds, 10);
  EXPECT_FALSE(options->close_on_denied_subscribe);
  EXPECT_EQ(options->max_publishes_per_second, 0u);
  EXPECT_EQ(options->max_payload_bytes, 131072u);
}

TEST(OptionsTest, MistakesAreNamed) {
  EXPECT_NE(ParseOptions(Pairs{}).error().message().find("snapshot_file"), std::string::npos);
  for (const auto& [name, value] : Pairs{{"bucket_seconds", "0"}, {"bucket_seconds", "-1"}, {"buffer_bytes", "x"},
                                         {"report_for_others", "yes"}, {"unheard_of", "1"}}) {
    Pairs pairs = Needed();
    pairs.push_back({name, value});
    auto options = ParseOptions(pairs);
    ASSERT_FALSE(options.ok()) << name;
    EXPECT_NE(options.error().message().find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace fleetward::plugin
