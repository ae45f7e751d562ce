#include "fleetward/policy/topic.h"

#include <gtest/gtest.h>

namespace fleetward::policy {
namespace {

TEST(TopicMatches, FollowsTheStandard) {
  struct Case {
    const char* filter;
    const char* topic;
    bool matches;
  } cases[] = {
      {"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/", true},
      {"a/+", "a/b/c", false}, {"+/b", "a/b", true}, {"+", "a", true}, {"+", "/a", false}, {"+/+", "/a", true},
      {"#", "a/b/c", true}, {"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
      {"a/#", "a/b/c", true}, {"a/#", "a/", true}, {"a/#", "b/a", false}, {"a/b/#", "a", false}, {"a", "a/b", false},
      {"a/+/c", "a/b/c", true}, {"a/+/#", "a/b", false}, {"A", "a", false}, {"", "a", false}, {"a", "", false},
  };
  for (const auto& c : cases) EXPECT_EQ(TopicMatches(c.filter, c.topic), c.matches) << c.filter << " " << c.topic;
}

TEST(TopicMatches, HashAndItsParent) {
  EXPECT_FALSE(TopicMatches("sensor/#", "sensor"));
  EXPECT_TRUE(TopicMatches("sensor/#", "sensor", HashRule::kStandard));
  EXPECT_TRUE(TopicMatches("a/+/#", "a/b", HashRule::kStandard));
  EXPECT_TRUE(TopicMatches("sensor/#", "sensor/"));
}

TEST(Validate, Topics) {
  EXPECT_TRUE(ValidateTopic("a/b").ok());
  EXPECT_TRUE(ValidateTopic("1/2/3/4/5/6/7/8").ok());
  EXPECT_FALSE(ValidateTopic("1/2/3/4/5/6/7/8/9").ok());
  EXPECT_TRUE(ValidateTopic("1/2/3/4/5/6/7/8/9", {256, 0}).ok());
  EXPECT_TRUE(ValidateTopic("$aws/rules/r/1/2/3/4/5/6/7/8").ok());
  EXPECT_TRUE(ValidateTopic(std::string(256, 'x')).ok());
  EXPECT_FALSE(ValidateTopic(std::string(257, 'x')).ok());
  for (std::string_view bad : {std::string_view(""), std::string_view("a/+"), std::string_view("#"),
                               std::string_view("a\0b", 3), std::string_view("\xff")}) {
    EXPECT_FALSE(ValidateTopic(bad).ok()) << bad;
  }
}

TEST(Validate, Filters) {
  for (const char* good : {"#", "+", "a/#", "+/+/#", "/", "a//b", "$share/g/a/#", "$share/g/1/2/3/4/5/6/7/8"}) {
    EXPECT_TRUE(ValidateTopicFilter(good).ok()) << good;
  }
  for (const char* bad : {"", "a#", "a/#/b", "a+", "+a", "$share", "$share/", "$share/g", "$share/g/", "$share//a",
                          "$share/g+/a", "$share/#/a", "1/2/3/4/5/6/7/8/9"}) {
    EXPECT_FALSE(ValidateTopicFilter(bad).ok()) << bad;
  }
  EXPECT_EQ(StripShare("$share/x/secret/#"), "secret/#");
  EXPECT_EQ(StripShare("share/x/y"), "share/x/y");
}

}  // namespace
}  // namespace fleetward::policy
