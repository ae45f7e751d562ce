#include "fleetward/store/ordered_key.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fleetward::store {
namespace {

using std::string_literals::operator""s;

TEST(OrderedKey, RoundTripsAnyBytes) {
  std::string nul("a\0b", 3), high("\xff\0\x01", 3);
  std::string key = OrderedKey({nul, "", high});
  auto parts = SplitOrderedKey(key);
  ASSERT_TRUE(parts);
  EXPECT_EQ(*parts, (std::vector<std::string>{nul, "", high}));
}

TEST(OrderedKey, SortsPartByPart) {
  std::vector<std::vector<std::string>> tuples;
  for (const std::string& a : {""s, "a"s, "a\0"s, "a\0\xff"s, "a\x01"s, "ab"s, "\xff"s}) {
    for (const std::string& b : {""s, "\0"s, "b"s, "\xff\xff"s}) tuples.push_back({a, b});
  }
  std::sort(tuples.begin(), tuples.end());
  std::vector<std::string> keys;
  for (const auto& tuple : tuples) keys.push_back(OrderedKey({tuple[0], tuple[1]}));
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

TEST(OrderedKey, PrefixCoversExactlyItsKeys) {
  std::string prefix = OrderedKey({"group"}), end = PrefixEnd(prefix);
  EXPECT_LT(OrderedKey({"group", "\xff\xff"}), end);
  EXPECT_GE(OrderedKey({"group2"}), end);
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
}

TEST(OrderedKey, RefusesOtherBytes) {
  EXPECT_FALSE(SplitOrderedKey("abc"));
  EXPECT_FALSE(SplitOrderedKey("abc\0"s));
  EXPECT_FALSE(SplitOrderedKey("abc\0\x02"s));
}

}  // namespace
}  // namespace fleetward::store
