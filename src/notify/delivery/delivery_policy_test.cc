#include "fleetward/notify/delivery_policy.h"

#include <gtest/gtest.h>

namespace fleetward::notify {
namespace {

std::vector<std::int64_t> Delays(const DeliveryPolicy& policy) {
  std::vector<std::int64_t> out;
  for (int retry = 0;; ++retry) {
    auto wait = RetryDelay(policy, retry);
    if (!wait) return out;
    out.push_back(wait->count());
  }
}

DeliveryPolicy Own(const std::string& retry) {
  auto parsed = ParseSubscriptionDeliveryPolicy("{\"healthyRetryPolicy\":" + retry + "}", {});
  EXPECT_TRUE(parsed.ok()) << retry << (parsed.ok() ? "" : parsed.error().ToString());
  return parsed.ok() ? *parsed : DeliveryPolicy();
}

TEST(DeliveryPolicy, TheDefaultIsThreeRetriesTwentySecondsApart) {
  EXPECT_EQ(Delays({}), (std::vector<std::int64_t>{20000, 20000, 20000}));
}

// The example of the developer guide: 3 at once, 2 a second apart, 10 by back-off from 1 to 60 s, 35 a minute apart.
TEST(DeliveryPolicy, FourPhases) {
  auto delays = Delays(Own(R"({"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,"numNoDelayRetries":3,
      "numMinDelayRetries":2,"numMaxDelayRetries":35,"backoffFunction":"exponential"})"));
  ASSERT_EQ(delays.size(), 50U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(delays[i], 0);
  for (int i = 3; i < 6; ++i) EXPECT_EQ(delays[i], 1000);  // the back-off begins at the minimum too
  for (int i = 6; i < 15; ++i) EXPECT_GT(delays[i], delays[i - 1]);
  for (int i = 14; i < 50; ++i) EXPECT_EQ(delays[i], 60000);
}

TEST(DeliveryPolicy, BackoffFunctionsRiseFromMinimumToMaximum) {
  std::vector<std::int64_t> middle;
  for (const char* name : {"linear", "arithmetic", "geometric", "exponential"}) {
    auto delays = Delays(Own(R"({"minDelayTarget":5,"maxDelayTarget":260,"numRetries":10,"backoffFunction":")" +
                             std::string(name) + "\"}"));
    ASSERT_EQ(delays.size(), 10U);
    EXPECT_EQ(delays.front(), 5000);
    EXPECT_EQ(delays.back(), 260000);
    for (std::size_t i = 1; i < delays.size(); ++i) EXPECT_GT(delays[i], delays[i - 1]) << name;
    middle.push_back(delays[5]);
  }
  for (std::size_t i = 1; i < middle.size(); ++i) EXPECT_LT(middle[i], middle[i - 1]);  // later ones start slower
}

TEST(DeliveryPolicy, SubscriptionsBuildOnTheirTopic) {
  auto topic = ParseTopicDeliveryPolicy(R"({"http":{"defaultHealthyRetryPolicy":{"numRetries":5},
      "disableSubscriptionOverrides":true,"defaultThrottlePolicy":{"maxReceivesPerSecond":7}}})");
  ASSERT_TRUE(topic.ok()) << topic.error().ToString();
  EXPECT_TRUE(topic->disable_overrides);
  auto own = ParseSubscriptionDeliveryPolicy("{}", topic->policy);
  EXPECT_EQ(own->retries, 5);
  EXPECT_EQ(own->max_receives_per_second, 7);
  own = ParseSubscriptionDeliveryPolicy(R"({"healthyRetryPolicy":{"minDelayTarget":10}})", topic->policy);
  EXPECT_EQ(own->retries, 3);
  EXPECT_EQ(own->max_receives_per_second, 7);
  EXPECT_TRUE(ParseTopicDeliveryPolicy(TopicDeliveryPolicyJson(*topic)).ok());
  EXPECT_EQ(ParseSubscriptionDeliveryPolicy(SubscriptionDeliveryPolicyJson(*own), {}).value(), *own);
}

TEST(DeliveryPolicy, FaultsAreRefused) {
  for (const char* retry :
       {R"({"minDelayTarget":0})", R"({"minDelayTarget":30})", R"({"maxDelayTarget":3601})", R"({"numRetries":101})",
        R"({"numRetries":-1})", R"({"numRetries":1.5})", R"({"numRetries":"3"})", R"({"numRetries":18446744073709551615})",
        R"({"numRetries":2,"numNoDelayRetries":3})", R"({"backoffFunction":"random"})", R"({"unknown":1})", "[]",
        R"({"minDelayTarget":60,"maxDelayTarget":60,"numRetries":100})"}) {
    EXPECT_FALSE(ParseSubscriptionDeliveryPolicy("{\"healthyRetryPolicy\":" + std::string(retry) + "}", {}).ok()) << retry;
  }
  for (const char* text : {"", "[]", "3", "{", R"({"other":1})", R"({"throttlePolicy":{"maxReceivesPerSecond":0}})",
                           R"({"requestPolicy":{"headerContentType":"application/json"}})"}) {
    EXPECT_FALSE(ParseSubscriptionDeliveryPolicy(text, {}).ok()) << text;
  }
  for (const char* text : {"[]", R"({"https":{}})", R"({"http":[]})", R"({"http":{"disableSubscriptionOverrides":1}})"}) {
    EXPECT_FALSE(ParseTopicDeliveryPolicy(text).ok()) << text;
  }
}

}  // namespace
}  // namespace fleetward::notify
