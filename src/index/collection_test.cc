#include "fleetward/index/collection.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace fleetward::index {
namespace {

Query Q(std::string_view text) {
  auto query = ParseQuery(text);
  EXPECT_TRUE(query.ok()) << text;
  return query.ok() ? *query : Query{};
}

std::string Names(const Collection& c, std::string_view query) {
  auto page = c.Search(Q(query), "", 1000);
  EXPECT_TRUE(page.ok());
  std::string all;
  for (const std::string& name : page->names) all += (all.empty() ? "" : " ") + name;
  return all;
}

class CollectionTest : public testing::Test {
 protected:
  CollectionTest() {
    c.Put("tv-1", Section::kRegistry,
          {{"thingTypeName", "Television"}, {"attributes.size", "40"}, {"thingGroupNames", "Lab"}});
    c.Put("tv-2", Section::kRegistry,
          {{"thingTypeName", "Television"}, {"attributes.size", "55"}, {"attributes.model", "plasma"}});
    c.Put("Cam", Section::kRegistry, {{"thingTypeName", "Camera"}, {"attributes.size", "small"}});
    c.Put("cam", Section::kRegistry, {{"description", "in the hall"}});
  }
  Collection c{"thingName"};
};

TEST_F(CollectionTest, FindsByNameFieldAndFreeText) {
  EXPECT_EQ(Names(c, "thingName:tv-1"), "tv-1");
  EXPECT_EQ(Names(c, "thingName:CAM"), "Cam cam");
  EXPECT_EQ(Names(c, "thingName:tv*"), "tv-1 tv-2");
  EXPECT_EQ(Names(c, "thingName:*m"), "Cam cam");
  EXPECT_EQ(Names(c, "thingName:tv-?"), "tv-1 tv-2");
  EXPECT_EQ(Names(c, "television"), "tv-1 tv-2");
  EXPECT_EQ(Names(c, "lab"), "tv-1");
  EXPECT_EQ(Names(c, "*"), "tv-1 tv-2 Cam cam");
  EXPECT_EQ(Names(c, "attributes.model:*"), "tv-2");
  EXPECT_EQ(Names(c, "thingTypeName:tele* NOT attributes.model:plasma"), "tv-1");
  EXPECT_EQ(Names(c, "NOT thingTypeName:*"), "cam");
  EXPECT_EQ(Names(c, "description:hall"), "cam");
  EXPECT_EQ(Names(c, "description:\"in the hall\""), "cam");
  EXPECT_EQ(Names(c, "nosuchfield:x"), "");
}

TEST_F(CollectionTest, RangesByNumberAndText) {
  EXPECT_EQ(Names(c, "attributes.size:[40 TO 55]"), "tv-1 tv-2");
  EXPECT_EQ(Names(c, "attributes.size:{40 TO 55]"), "tv-2");
  EXPECT_EQ(Names(c, "attributes.size<55"), "tv-1");
  EXPECT_EQ(Names(c, "attributes.size:[* TO *]"), "tv-1 tv-2 Cam");
  EXPECT_EQ(Names(c, "attributes.model:[\"p\" TO \"q\"]"), "tv-2");
  EXPECT_EQ(Names(c, "thingName:[\"tv-1\" TO \"tv-1\"]"), "tv-1");
}

TEST_F(CollectionTest, SectionsAreReplacedApart) {
  c.Put("tv-1", Section::kConnectivity, {{"connectivity.connected", "true"}});
  c.Put("nobody", Section::kConnectivity, {{"connectivity.connected", "true"}});
  EXPECT_EQ(Names(c, "connectivity.connected:true"), "tv-1");
  c.Put("tv-1", Section::kRegistry, {{"attributes.size", "41"}});
  EXPECT_EQ(Names(c, "connectivity.connected:true attributes.size:41"), "tv-1");
  EXPECT_EQ(Names(c, "attributes.size:40"), "");
  c.Put("tv-1", Section::kConnectivity, {{"connectivity.connected", "false"}});
  EXPECT_EQ(Names(c, "connectivity.connected:true"), "");
  ASSERT_EQ(c.ValuesOf("tv-1", Section::kConnectivity).size(), 1U);
  EXPECT_EQ(c.ValuesOf("tv-1", Section::kConnectivity)[0].text, "false");
}

TEST_F(CollectionTest, PagesGoOnAfterWhatCameAndWent) {
  auto first = c.Search(Q("*"), "", 2);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->names.size(), 2U);
  c.Erase("tv-1");
  c.Erase("Cam");
  c.Put("new", Section::kRegistry, {});
  auto second = c.Search(Q("*"), first->next, 2);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->names, (std::vector<std::string>{"cam", "new"}));
  EXPECT_EQ(second->next, "");
  EXPECT_EQ(c.Search(Q("*"), "7", 2).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(c.Search(Q("*"), "x.7", 2).error().code(), Code::kInvalidArgument);
}

TEST_F(CollectionTest, PagesGoOnInACollectionBuiltAnew) {
  Collection before("thingName"), now("thingName");
  for (auto [name, order] : {std::pair("old-1", 0), {"old-2", 0}, {"old-3", 0}, {"z", 5}, {"gone", 6}, {"a", 9}, {"b", 12}}) {
    before.Place(name, static_cast<std::uint64_t>(order));
    if (name != std::string("gone")) now.Place(name, static_cast<std::uint64_t>(order));
  }
  now.Place("0", 13);
  std::vector<std::string> seen;
  std::string next;
  for (const Collection* c : {&before, &now, &before, &now}) {
    auto page = c->Search(Q("*"), next, 2);
    ASSERT_TRUE(page.ok());
    seen.insert(seen.end(), page->names.begin(), page->names.end());
    next = page->next;
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"old-1", "old-2", "old-3", "z", "gone", "a", "b", "0"}));
  EXPECT_EQ(next, "");
}

TEST_F(CollectionTest, PlacedAnewComesLast) {
  c.Place("tv-1", 100);
  EXPECT_EQ(c.OrderOf("tv-1"), 100U);
  EXPECT_EQ(c.OrderOf("nobody"), std::nullopt);
  EXPECT_EQ(Names(c, "*"), "tv-2 Cam cam tv-1");
  EXPECT_EQ(Names(c, "thingTypeName:Television"), "tv-2");
}

TEST_F(CollectionTest, Aggregates) {
  c.Put("n1", Section::kRegistry, {{"attributes.n", "-125"}});
  c.Put("n2", Section::kRegistry, {{"attributes.n", "75"}});
  c.Put("n3", Section::kRegistry, {{"attributes.n", "150"}});
  Statistics s = c.StatisticsOf(Q("*"), "attributes.n", FieldType::kNumber);
  EXPECT_EQ(s.count, 3U);
  EXPECT_DOUBLE_EQ(s.sum, 100);
  EXPECT_DOUBLE_EQ(s.minimum, -125);
  EXPECT_DOUBLE_EQ(s.maximum, 150);
  EXPECT_DOUBLE_EQ(s.sum_of_squares, 43750);
  EXPECT_NEAR(s.variance, 13472.2222, 0.001);
  EXPECT_EQ(c.Cardinality(Q("*"), "thingTypeName"), 2U);
  EXPECT_EQ(c.Cardinality(Q("thingName:tv*"), "thingTypeName"), 1U);
  EXPECT_EQ(c.CountWith(Q("*"), "attributes.size"), 3U);
  double percents[] = {0, 50, 75, 100};
  EXPECT_EQ(c.Percentiles(Q("*"), "attributes.n", percents), (std::vector<double>{-125, 75, 112.5, 150}));
  EXPECT_TRUE(c.Percentiles(Q("thingName:none"), "attributes.n", percents).empty());
  auto buckets = c.Buckets(Q("*"), "thingTypeName", 1);
  ASSERT_EQ(buckets.size(), 1U);
  EXPECT_EQ(buckets[0].text, "Television");
  EXPECT_EQ(buckets[0].count, 2U);
  c.Put("n1", Section::kConnectivity, {{"connectivity.connected", "true"}});
  c.Put("n2", Section::kConnectivity, {{"connectivity.connected", "false"}});
  s = c.StatisticsOf(Q("*"), "connectivity.connected", FieldType::kBoolean);
  EXPECT_EQ(s.count, 2U);
  EXPECT_DOUBLE_EQ(s.sum, 1);
}

// Random documents and queries against evaluating each document alone, through changes and deletions.
TEST(CollectionReference, AgreesWithEachDocumentAlone) {
  std::mt19937 random(11);
  auto pick = [&](auto... options) {
    std::vector<std::string> all = {options...};
    return all[random() % all.size()];
  };
  const std::vector<std::string> leaves = {
      "a:x*", "a:X1", "b<5",           "b:[3 TO 7}", "c:*", "a:[\"x1\" TO \"y\"]",
      "x2",   "d:x?", "thingName:n1*", "b>=4",       "7"};
  Collection c("thingName");
  std::map<std::string, int> known;
  for (int step = 0; step < 4000; ++step) {
    std::string name = pick("n", "N", "m") + std::to_string(random() % 60);
    if (random() % 5 == 0) {
      c.Erase(name);
      known.erase(name);
    } else {
      std::vector<Value> values;
      unsigned section = random() % 3;
      for (unsigned i = random() % 4; i > 0; --i) {
        values.push_back({section == 0   ? pick("a", "b")
                          : section == 1 ? "c"
                                         : "d",
                          pick("x", "X", "y", "") + std::to_string(random() % 9)});
      }
      c.Put(name, static_cast<Section>(section), values);
      if (c.Contains(name)) known[name] = 1;
    }
    if (step % 10 != 0) continue;
    std::string text = (random() % 3 == 0 ? "NOT " : "") + leaves[random() % leaves.size()];
    for (unsigned i = random() % 3; i > 0; --i) {
      text += pick(" AND ", " OR ", " ", " AND NOT ") + leaves[random() % leaves.size()];
    }
    Query query = Q(text);
    std::map<std::string, int> expected, found;
    for (const auto& [each, unused] : known) {
      if (c.Matches(query, each)) expected[each] = 1;
    }
    c.ForEachMatch(query, [&](const std::string& each) { ++found[each]; });
    ASSERT_EQ(found, expected) << text << " at step " << step;
    ASSERT_EQ(c.CountMatches(query), expected.size());
  }
  for (const auto& [each, unused] : known) c.Erase(each);
  EXPECT_EQ(c.size(), 0U);
  EXPECT_EQ(c.Cardinality(Q("*"), "a"), 0U);
  EXPECT_EQ(Names(c, "x*"), "");
}

/// `count` devices: t00000…, every 1000th of them rare, odd ones red.
std::unique_ptr<Collection> Fleet(int count) {
  auto c = std::make_unique<Collection>("thingName");
  for (int i = 0; i < count; ++i) {
    std::string number = std::to_string(100000 + i).substr(1);
    c->Put("t" + number, Section::kRegistry,
           {{"color", i % 2 == 1 ? "red" : "blue"}, {"serial", "s" + number}, {"rare", i % 1000 == 7 ? "yes" : "no"}});
  }
  return c;
}

TEST(CollectionCost, APageCostsTheSameHoweverManyMatch) {
  std::unique_ptr<Collection> small = Fleet(5000), large = Fleet(50000);
  for (const char* query : {"thingName:t*", "t*", "serial:s*", "serial:*", "*", "NOT rare:yes", "serial:s* AND color:red",
                            "thingName:t* AND NOT color:red", "serial:[\"s0\" TO \"t\"]", "color:red"}) {
    std::uint64_t cost[2] = {0, 0};
    std::string after[2];
    for (int page = 0; page < 20; ++page) {
      for (int which : {0, 1}) {
        auto found = (which == 0 ? small : large)->Search(Q(query), after[which], 100);
        ASSERT_TRUE(found.ok());
        ASSERT_EQ(found->names.size(), 100u) << query;
        after[which] = found->next;
        cost[which] = std::max(cost[which], found->visited);
      }
      ASSERT_EQ(after[0], after[1]) << query;
    }
    EXPECT_LE(cost[1], 1200u) << query;
    EXPECT_LE(cost[1], cost[0] + 100) << query;
  }
  // Few matches cost what they are, not a walk through all documents.
  auto found = large->Search(Q("rare:yes"), "", 100);
  ASSERT_EQ(found->names.size(), 50u);
  EXPECT_LE(found->visited, 60u);
  found = large->Search(Q("serial:s0012*"), "", 100);
  ASSERT_EQ(found->names.size(), 10u);
  EXPECT_LE(found->visited, 20u);
}

TEST(CollectionCost, PagesFoundByWalkingAreThePagesFoundByTerms) {
  std::unique_ptr<Collection> c = Fleet(9000);
  for (int i = 0; i < 9000; i += 3) c->Erase("t" + std::to_string(100000 + i).substr(1));
  for (const char* query : {"thingName:t*", "serial:s*", "NOT color:red", "serial:s08* OR thingName:t00*", "s*7",
                            "rare:yes OR serial:s089*", "serial:s08*"}) {
    std::vector<std::string> all, paged;
    c->ForEachMatch(Q(query), [&](const std::string& name) { all.push_back(name); });
    std::string after;
    do {
      auto page = c->Search(Q(query), after, 97);
      ASSERT_TRUE(page.ok());
      ASSERT_TRUE(page->names.size() == 97 || page->next.empty()) << query;
      paged.insert(paged.end(), page->names.begin(), page->names.end());
      after = page->next;
    } while (!after.empty());
    EXPECT_EQ(paged, all) << query;
  }
}

}  // namespace
}  // namespace fleetward::index
