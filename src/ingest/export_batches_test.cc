#include "export_batches.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace fleetward::ingest {
namespace {

ExportBatches::Limits Small() {
  ExportBatches::Limits limits;
  limits.interval_ms = 1000;
  limits.message_bytes = 100;
  limits.value_bytes = 60;
  limits.waiting_bytes = 250;
  return limits;
}

TEST(ExportBatches, ABatchOfATopicGoesOutOneIntervalAfterItsFirstValue) {
  ExportBatches batches(Small());
  EXPECT_EQ(batches.Add("a", "{\"n\":1}", 5000), 0U);
  EXPECT_EQ(batches.Add("a", "{\"n\":2}", 5900), 0U);
  EXPECT_EQ(batches.Add("b", "{\"n\":3}", 5950), 0U);
  EXPECT_FALSE(batches.Take(5999, false));
  auto message = batches.Take(6000, false);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->topic, "a");
  EXPECT_EQ(message->payload, R"({"version":"1.0","metrics":[{"n":1},{"n":2}]})");
  EXPECT_EQ(message->values, 2U);
  EXPECT_FALSE(batches.Take(6000, false));
  EXPECT_EQ(batches.Take(6000, true)->topic, "b");
  EXPECT_TRUE(batches.empty());
  EXPECT_EQ(batches.waiting_bytes(), 0U);
}

TEST(ExportBatches, AFullBatchGoesOutAtOnce) {
  ExportBatches batches(Small());
  const std::string item = '"' + std::string(30, 'x') + '"';
  for (int i = 0; i < 3; ++i) EXPECT_EQ(batches.Add("a", item, 0), 0U);
  auto message = batches.Take(0, false);
  ASSERT_TRUE(message);
  EXPECT_LE(message->payload.size(), 102U);
  EXPECT_EQ(message->values, 2U);
  EXPECT_EQ(nlohmann::json::parse(message->payload)["metrics"].size(), 2U);
  EXPECT_FALSE(batches.Take(0, false));
}

TEST(ExportBatches, WhatIsGivenBackIsTheNext) {
  ExportBatches batches(Small());
  batches.Add("a", "1", 0);
  auto message = *batches.Take(1000, false);
  batches.Add("b", "2", 0);
  batches.GiveBack(message);
  EXPECT_EQ(batches.Take(1000, false)->payload, message.payload);
  EXPECT_EQ(batches.Take(1000, false)->topic, "b");
}

TEST(ExportBatches, WhatIsGivenBackGoesBeforeWhatIsReady) {
  ExportBatches batches(Small());
  const std::string item = '"' + std::string(30, 'x') + '"';
  for (int i = 0; i < 5; ++i) batches.Add("a", item, 0);  // two full messages and an open one
  auto first = *batches.Take(0, false);
  first.payload = "first";
  batches.GiveBack(first);
  EXPECT_EQ(batches.Take(0, false)->payload, "first");
  EXPECT_EQ(batches.Take(0, false)->values, 2U);
  EXPECT_FALSE(batches.Take(0, false));
}

TEST(ExportBatches, EveryValueOfADroppedMessageIsCounted) {
  ExportBatches batches(Small());
  const std::string item = '"' + std::string(20, 'x') + '"';  // three a message
  std::uint64_t dropped = 0, sent = 0;
  for (int i = 0; i < 30; ++i) dropped += batches.Add("a", item, 0);
  while (auto message = batches.Take(0, true)) sent += message->values;
  EXPECT_EQ(dropped + sent, 30U);
  EXPECT_GT(dropped, 20U);
}

TEST(ExportBatches, BytesAreBoundedAndTheOldestValuesDropped) {
  ExportBatches batches(Small());
  std::uint64_t dropped = 0, sent = 0;
  for (int i = 0; i < 100; ++i) {
    std::string item = '"' + std::to_string(i) + std::string(40, 'x') + '"';
    dropped += batches.Add("a", item, 0);
    EXPECT_LE(batches.waiting_bytes(), 250U + 40U);  // and the messages' heads and tails
  }
  std::string last;
  while (auto message = batches.Take(0, true)) {
    sent += message->values;
    last = message->payload;
  }
  EXPECT_EQ(dropped + sent, 100U);
  EXPECT_GT(dropped, 90U);
  EXPECT_NE(last.find("\"99x"), std::string::npos) << last;
  EXPECT_EQ(batches.waiting_bytes(), 0U);
}

TEST(ExportBatches, AValueThatTheBrokerWouldNotTakeIsDropped) {
  ExportBatches batches(Small());
  EXPECT_EQ(batches.Add("a", std::string(61, 'x'), 0), 1U);
  EXPECT_TRUE(batches.empty());
}

// Many topics of open batches, none of which is full: the bound holds all the same.
TEST(ExportBatches, OpenBatchesCountToo) {
  ExportBatches batches(Small());
  std::uint64_t dropped = 0;
  for (int i = 0; i < 50; ++i) dropped += batches.Add("t" + std::to_string(i), "1234567890", 0);
  EXPECT_GT(dropped, 40U);
  EXPECT_LE(batches.waiting_bytes(), 300U);
}

}  // namespace
}  // namespace fleetward::ingest
