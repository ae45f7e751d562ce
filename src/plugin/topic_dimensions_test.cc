#include "topic_dimensions.h"

#include <gtest/gtest.h>

#include <string>

namespace fleetward::plugin {
namespace {

TEST(TopicDimensions, AnyFilterOfADimensionWillDo) {
  TopicDimensions dimensions;
  EXPECT_TRUE(dimensions.empty());
  ASSERT_TRUE(dimensions.Set({{"a", {"x/+", "y/#"}, 2, 0}, {"b", {"+/1"}, 0, 5}}));
  EXPECT_EQ(dimensions.MaskOf("x/1", "c"), 0b11u);
  EXPECT_EQ(dimensions.MaskOf("y/2/3", "c"), 0b01u);
  EXPECT_EQ(dimensions.MaskOf("z/1", "c"), 0b10u);
  EXPECT_EQ(dimensions.MaskOf("z", "c"), 0u);
  EXPECT_EQ(dimensions.MaskOf("y/#", "c"), 0b01u) << "the text of a filter";
}

TEST(TopicDimensions, TheClientIdIsFilledInAndIsNoWildcard) {
  TopicDimensions dimensions;
  ASSERT_TRUE(dimensions.Set({{"own", {"d/${iot:ClientId}/x", "${iot:ClientId}/${iot:ClientId}"}, 2, 3}}));
  EXPECT_EQ(dimensions.MaskOf("d/pump/x", "pump"), 1u);
  EXPECT_EQ(dimensions.MaskOf("pump/pump", "pump"), 1u);
  EXPECT_EQ(dimensions.MaskOf("d/other/x", "pump"), 0u);
  EXPECT_EQ(dimensions.MaskOf("d/pump/x", "+"), 0u);
  // An id that spells the variable is not filled in again.
  EXPECT_EQ(dimensions.MaskOf("d/${iot:ClientId}/x", "${iot:ClientId}"), 1u);
}

TEST(TopicDimensions, CountsGoToTheWatchedSide) {
  TopicDimensions dimensions;
  ASSERT_TRUE(dimensions.Set({{"a", {"x"}, 2, 0}, {"b", {"y"}, 4, 5}}));
  TopicCounts counts(dimensions);
  counts.Each(dimensions, 0b01, [](TopicCounts::Numbers& n) { AddMessage(n, 7); });  // in a, not in b
  counts.Each(dimensions, 0b00, [](TopicCounts::Numbers& n) { AddMessage(n, 3); });  // in neither: a's is not watched
  std::string seen;
  auto add = [&](const report::CounterRecord& r) {
    seen += std::to_string(r.dimension) + ":" + std::to_string(r.messages_sent) + "/" + std::to_string(r.bytes_sent) +
            "/" + std::to_string(r.max_payload) + "/" + std::to_string(r.min_payload) + " ";
  };
  counts.Records(dimensions, "c", {}, "192.0.2.1", add);
  EXPECT_EQ(seen, "2:1/7/7/7 5:2/10/7/3 ");
  seen.clear();
  ASSERT_TRUE(dimensions.Set({{"b", {"y"}, 4, 5}}));
  counts.Records(dimensions, "c", {}, "192.0.2.1", add);
  EXPECT_EQ(seen, "") << "counts of other dimensions are void";
}

TEST(TopicDimensions, MoreThanTheMostAreLeftOut) {
  TopicDimensions dimensions;
  std::vector<policy::DimensionEntry> many(TopicDimensions::kMost + 1, {"d", {"#"}, 2, 3});
  EXPECT_FALSE(dimensions.Set(many));
  EXPECT_EQ(dimensions.MaskOf("t", "c"), 0xffffffffu);
}

}  // namespace
}  // namespace fleetward::plugin
