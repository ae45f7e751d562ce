#include "client_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace fleetward::plugin {
namespace {

const void* KeyAt(std::uintptr_t number) { return reinterpret_cast<const void*>(0x55550000 + number * 16); }

TEST(ClientTable, KeepsWhatAMapKeeps) {
  ClientTable table;
  std::set<std::uintptr_t> known;
  std::mt19937 random(4);
  for (int step = 0; step < 50000; ++step) {
    std::uintptr_t number = random() % 700;
    if (known.contains(number)) {
      ASSERT_NE(table.Find(KeyAt(number)), nullptr);
      ASSERT_EQ(table.Find(KeyAt(number))->id, std::to_string(number));
      if (random() % 2 == 0) {
        table.Erase(KeyAt(number));
        known.erase(number);
      }
    } else {
      ASSERT_EQ(table.Find(KeyAt(number)), nullptr);
      table.Erase(KeyAt(number));  // nothing happens
      table.Insert(std::make_unique<Client>(KeyAt(number), std::to_string(number), 0));
      known.insert(number);
    }
    ASSERT_EQ(table.size(), known.size());
  }
  std::set<std::uintptr_t> seen;
  table.ForEach([&](const Client& client) { seen.insert(std::stoul(client.id)); });
  EXPECT_EQ(seen, known);
}

TEST(LastTopic, RemembersWhatATopicMayBe) {
  LastTopic last;
  last.Remember("$aws/things/lamp/defender/metrics/cbor");
  EXPECT_TRUE(last.Is("$aws/things/lamp/defender/metrics/cbor"));
  ASSERT_TRUE(last.report);
  EXPECT_EQ(last.report->thing, "lamp");
  last.Remember("a/b");
  EXPECT_FALSE(last.report);
  EXPECT_FALSE(last.Is("$aws/things/lamp/defender/metrics/cbor"));
  std::string longest(LastTopic::kMaxBytes, 'x');
  last.Remember(longest);
  EXPECT_TRUE(last.Is(longest));
  last.Remember(longest + 'x');  // refused by every policy (D43)
  EXPECT_FALSE(last.Is(longest + 'x'));
}

}  // namespace
}  // namespace fleetward::plugin
