#include "report_topic.h"

#include <gtest/gtest.h>

namespace fleetward::plugin {
namespace {

TEST(ReportTopicTest, TopicsOfReports) {
  auto json = ParseReportTopic("$aws/things/my:thing-1/defender/metrics/json");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->thing, "my:thing-1");
  EXPECT_EQ(json->format, report::ReportFormat::kJson);
  EXPECT_EQ(ParseReportTopic("$aws/things/t/defender/metrics/cbor")->format, report::ReportFormat::kCbor);
  for (const char* topic :
       {"", "$aws/things/", "$aws/things//defender/metrics/json", "$aws/things/t", "$aws/things/t/defender/metrics",
        "$aws/things/t/defender/metrics/json/accepted", "$aws/things/t/x/defender/metrics/json",
        "$aws/things/t/defender/metrics/xml", "aws/things/t/defender/metrics/json"}) {
    EXPECT_FALSE(ParseReportTopic(topic).has_value()) << topic;
  }
}

TEST(ReportTopicTest, FiltersThatCanMatchAnswers) {
  for (const char* filter :
       {"$aws/#", "$aws/things/t/defender/metrics/json/accepted", "$aws/things/+/defender/metrics/+/+",
        "$aws/things/t/defender/metrics/#", "$aws/things/t/defender/metrics/json/#", "$aws/+/t/#",
        "$aws/things/t/defender/metrics/json/accepted/#"}) {
    EXPECT_TRUE(CouldMatchAnswers(filter)) << filter;
  }
  for (const char* filter : {"#", "+/things/t/defender/metrics/json/accepted", "$aws/things/t/shadow/#", "$aws/things",
                             "$aws/things/t/defender/metrics/json", "a/b",
                             "$aws/things/t/defender/metrics/json/accepted/x"}) {
    EXPECT_FALSE(CouldMatchAnswers(filter)) << filter;
  }
}

}  // namespace
}  // namespace fleetward::plugin
