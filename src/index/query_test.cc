#include "fleetward/index/query.h"

#include <gtest/gtest.h>

namespace fleetward::index {
namespace {

Query Parsed(std::string_view text) {
  auto query = ParseQuery(text);
  EXPECT_TRUE(query.ok()) << text << ": " << (query.ok() ? "" : query.error().message());
  return query.ok() ? *query : Query{};
}

std::string Fault(std::string_view text) {
  auto query = ParseQuery(text);
  EXPECT_FALSE(query.ok()) << text;
  if (query.ok()) return "";
  EXPECT_EQ(query.error().code(), Code::kInvalidQuery);
  return query.error().message();
}

TEST(Query, TermsAreJoinedByAnd) {
  Query q = Parsed("thingName:abc thingTypeName:xyz");
  ASSERT_EQ(q.kind, Query::Kind::kAnd);
  ASSERT_EQ(q.operands.size(), 2U);
  EXPECT_EQ(q.operands[0].field, "thingName");
  EXPECT_TRUE(q.operands[1].pattern.Matches("XYZ"));
  EXPECT_FALSE(q.operands[1].pattern.Matches("xyzz"));
}

TEST(Query, AndBindsTighterThanOr) {
  Query q = Parsed("a OR b AND c");
  ASSERT_EQ(q.kind, Query::Kind::kOr);
  EXPECT_EQ(q.operands[1].kind, Query::Kind::kAnd);
  q = Parsed("(a OR b) c");
  ASSERT_EQ(q.kind, Query::Kind::kAnd);
  EXPECT_EQ(q.operands[0].kind, Query::Kind::kOr);
}

TEST(Query, HyphenAndNotExclude) {
  Query q = Parsed("thingName:(tv* AND -plasma)");
  ASSERT_EQ(q.kind, Query::Kind::kAnd);
  EXPECT_EQ(q.operands[0].field, "thingName");
  ASSERT_EQ(q.operands[1].kind, Query::Kind::kNot);
  EXPECT_EQ(q.operands[1].operands[0].field, "thingName");
  EXPECT_EQ(Parsed("NOT attributes.model:legacy").kind, Query::Kind::kNot);
  EXPECT_EQ(Parsed("attributes.attr1:abc AND attributes.attr2<5 NOT attributes.attr3>10").operands.size(),
            3U);
  EXPECT_EQ(Parsed("a NOT -b").operands[1].kind, Query::Kind::kTerm);  // twice is none
}

TEST(Query, HyphenInsideOfATermIsText) {
  Query q = Parsed("attributes.serial:ab-12");
  EXPECT_TRUE(q.pattern.Matches("AB-12"));
}

TEST(Query, RangesAndComparisons) {
  Query q = Parsed("attributes.a:{75 TO 80]");
  ASSERT_EQ(q.kind, Query::Kind::kRange);
  EXPECT_FALSE(q.low->inclusive);
  EXPECT_TRUE(q.high->inclusive);
  EXPECT_TRUE(q.numeric());
  q = Parsed("attributes.a:[\"abcd\" TO \"abcf\"]");
  EXPECT_FALSE(q.numeric());
  q = Parsed("attributes.a : [ * TO -1.5e2 }");
  EXPECT_FALSE(q.low);
  EXPECT_EQ(*q.high->number, -150);
  q = Parsed("connectivity.timestamp >= 1557651600000");
  EXPECT_EQ(*q.low->number, 1557651600000);
  EXPECT_TRUE(q.low->inclusive);
  EXPECT_FALSE(Parsed("a:[\"1\" TO 2]").numeric());  // quoted is text
}

TEST(Query, EscapesAndQuotes) {
  EXPECT_TRUE(Parsed(R"(attributes.a:b\*c)").pattern.Matches("b*c"));
  EXPECT_FALSE(Parsed(R"(attributes.a:b\*c)").pattern.Matches("bxc"));
  EXPECT_TRUE(Parsed(R"("AND")").pattern.Matches("and"));
  EXPECT_TRUE(Parsed(R"(\AND)").pattern.Matches("AND"));
  EXPECT_TRUE(Parsed(R"(a:"b \" c")").pattern.Matches("B \" C"));
  EXPECT_TRUE(Parsed("attributes.mac:00:11:22").pattern.Matches("00:11:22"));
  EXPECT_TRUE(Parsed("a:i*t").pattern.Matches("Intranet"));
  EXPECT_TRUE(Parsed("a:ab?").pattern.Matches("abé"));
}

TEST(Query, Faults) {
  EXPECT_NE(Fault("").find("expected a term at character 1"), std::string::npos);
  EXPECT_NE(Fault("a AND").find("the end"), std::string::npos);
  EXPECT_NE(Fault("(a").find("')'"), std::string::npos);
  EXPECT_NE(Fault("a)").find("an operator or the end"), std::string::npos);
  EXPECT_NE(Fault("a:[1 2]").find("TO"), std::string::npos);
  EXPECT_NE(Fault("a:[1 TO 2").find("']'"), std::string::npos);
  EXPECT_NE(Fault("a:\"x").find("'\"'"), std::string::npos);
  EXPECT_NE(Fault("f*:x").find("without wildcards"), std::string::npos);
  EXPECT_NE(Fault("a:[x* TO y]").find("no wildcards"), std::string::npos);
  EXPECT_NE(Fault("a:\"\"").find("empty"), std::string::npos);
  EXPECT_NE(Fault("a b c d e f g h i j k l m").find("12 terms"), std::string::npos);
  EXPECT_NE(Fault("thingName:*my thingGroupNames:*echo").find("Only one term"), std::string::npos);
  EXPECT_NE(Fault("a:*x OR " + std::string(100, 'b')).find("at most 100"), std::string::npos);
  EXPECT_NE(Fault(std::string(1001, 'a')).find("1000 bytes"), std::string::npos);
  EXPECT_NE(Fault(std::string(20, '(') + "a" + std::string(20, ')')).find("too deeply"), std::string::npos);
  EXPECT_NE(Fault("OR a").find("a term"), std::string::npos);
  EXPECT_NE(Fault("a\\").find("after '\\'"), std::string::npos);
}

}  // namespace
}  // namespace fleetward::index
