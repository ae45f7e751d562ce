#include "fleetward/notify/filter_policy.h"

#include <gtest/gtest.h>

namespace fleetward::notify {
namespace {

constexpr auto kAttributes = FilterScope::kMessageAttributes;
constexpr auto kBody = FilterScope::kMessageBody;

bool WantsBody(const std::string& policy, const std::string& body) {
  auto parsed = FilterPolicy::Parse(policy, kBody);
  EXPECT_TRUE(parsed.ok()) << policy << (parsed.ok() ? "" : parsed.error().ToString());
  return parsed.ok() && parsed->Wants({}, body);
}

bool WantsAttributes(const std::string& policy, const MessageAttributes& attributes) {
  auto parsed = FilterPolicy::Parse(policy, kAttributes);
  EXPECT_TRUE(parsed.ok()) << policy << (parsed.ok() ? "" : parsed.error().ToString());
  return parsed.ok() && parsed->Wants({.subject = {}, .body = {}, .per_protocol = {}, .attributes = attributes}, "");
}

MessageAttributes One(const std::string& type, const std::string& value) { return {{"k", {type, value}}}; }

// The examples of the developer guide.
TEST(FilterPolicy, GuideExamples) {
  MessageAttributes order = {{"customer_interests", {"String.Array", R"(["soccer","rugby","hockey"])"}},
                             {"store", {"String", "example_corp"}},
                             {"event", {"String", "order_placed"}},
                             {"price_usd", {"Number", "210.75"}}};
  EXPECT_TRUE(WantsAttributes(R"({"store":["example_corp"],"event":[{"anything-but":"order_cancelled"}],
      "customer_interests":["rugby","football","baseball"],"price_usd":[{"numeric":[">=",100]}]})", order));
  EXPECT_FALSE(WantsAttributes(R"({"store":["example_corp"],"event":["order_cancelled"],"encrypted":[false],
      "customer_interests":["basketball","baseball"]})", order));
}

TEST(FilterPolicy, AttributesByOperator) {
  struct Case {
    const char* values;
    const char* type;
    const char* value;
    bool wanted;
  };
  for (const Case& c : std::initializer_list<Case>{
           {R"(["rugby","tennis"])", "String", "rugby", true},
           {R"(["rugby"])", "String", "Rugby", false},
           {R"([{"prefix":"bas"}])", "String", "baseball", true},
           {R"([{"prefix":"bas"}])", "String", "rugby", false},
           {R"([{"suffix":"ball"}])", "String", "football", true},
           {R"([{"suffix":"ball"}])", "String", "ballet", false},
           {R"([{"equals-ignore-case":"Tennis"}])", "String", "tENNIS", true},
           {R"([{"anything-but":["rugby","tennis"]}])", "String", "football", true},
           {R"([{"anything-but":["rugby","tennis"]}])", "String", "rugby", false},
           {R"([{"anything-but":["rugby"]}])", "String.Array", R"(["rugby","baseball"])", true},
           {R"([{"anything-but":["rugby"]}])", "String.Array", R"(["rugby"])", false},
           {R"([{"anything-but":{"prefix":"order-"}}])", "String", "data-entry", true},
           {R"([{"anything-but":{"prefix":"order-"}}])", "String", "order-cancelled", false},
           {R"([{"anything-but":{"suffix":".tmp"}}])", "String", "a.tmp", false},
           {R"([{"cidr":"10.0.0.0/24"}])", "String", "10.0.0.255", true},
           {R"([{"cidr":"10.0.0.0/24"}])", "String", "10.1.1.0", false},
           {R"([{"cidr":"10.0.0.0/23"}])", "String", "10.0.1.9", true},
           {R"([{"cidr":"2001:db8::/32"}])", "String", "2001:db8:1::1", true},
           {R"([{"cidr":"2001:db8::/32"}])", "String", "10.0.0.1", false},
           {R"([{"cidr":"0.0.0.0/0"}])", "String", "8.8.8.8", true},
           {R"([{"cidr":"10.0.0.1"}])", "String", "10.0.0.1", true},
           {R"([{"numeric":["=",301.5]}])", "Number", "3.015e2", true},
           {R"([{"numeric":["=",301.5]}])", "Number", "301.50001", false},
           {R"([{"numeric":["=",301.5]}])", "Number", "301.500001", true},  // five digits after the point
           {R"([{"numeric":[">",0,"<=",150]}])", "Number", "150", true},
           {R"([{"numeric":[">",0,"<=",150]}])", "Number", "0", false},
           {R"([{"numeric":["<",0]}])", "Number", "-0.5", true},
           {R"([{"numeric":["<",0]}])", "String", "-0.5", false},
           {R"([{"anything-but":[100,500]}])", "Number", "100", false},
           {R"([{"anything-but":[100,500]}])", "Number", "100.1", true},
           {R"([100])", "Number", "100.0", true},
           {R"([100])", "String", "100", false},
           {R"([100])", "Number", "2e9", false},
           {R"([true])", "String.Array", "[false,true]", true},
           {R"([null])", "String.Array", "[null]", true},
           {R"([{"exists":true}])", "String", "x", true},
           {R"([{"exists":false}])", "String", "x", false},
           {R"([{"exists":true}])", "String.Array", "[]", true},
           {R"([{"exists":true}])", "Binary", "x", false},
           {R"([{"exists":false}])", "Binary", "x", true},
           {R"([{"anything-but":"y"}])", "Binary", "x", false},
           {R"([{"exists":false},"x"])", "String", "x", true}}) {
    EXPECT_EQ(WantsAttributes(std::string("{\"k\":") + c.values + "}", One(c.type, c.value)), c.wanted)
        << c.values << ' ' << c.type << ' ' << c.value;
  }
  EXPECT_TRUE(WantsAttributes(R"({"k":[{"exists":false}]})", {}));
  EXPECT_FALSE(WantsAttributes(R"({"k":[{"anything-but":"y"}]})", {}));
  EXPECT_TRUE(WantsAttributes("{}", {}));
}

TEST(FilterPolicy, BodiesAreNested) {
  const std::string body = R"({"violationEventType":"in-alarm","behavior":{"name":"big","criteria":{"value":{"count":5}}},
      "things":["a","b"],"list":[{"x":1},{"x":2}]})";
  EXPECT_TRUE(WantsBody(R"({"violationEventType":["in-alarm"]})", body));
  EXPECT_TRUE(WantsBody(R"({"behavior":{"name":[{"prefix":"b"}]},"things":["b"]})", body));
  EXPECT_TRUE(WantsBody(R"({"behavior":{"criteria":{"value":{"count":[{"numeric":[">",4]}]}}}})", body));
  EXPECT_FALSE(WantsBody(R"({"behavior":{"name":["small"]}})", body));
  EXPECT_FALSE(WantsBody(R"({"behavior":["big"]})", body));
  EXPECT_TRUE(WantsBody(R"({"list":{"x":[2]}})", body));
  EXPECT_TRUE(WantsBody(R"({"none":{"deep":[{"exists":false}]}})", body));
  EXPECT_FALSE(WantsBody(R"({"none":{"deep":[{"exists":true}]}})", body));
  for (const char* other : {"", "text", "[1]", "3", "{\"a\":", "null"}) {
    EXPECT_FALSE(WantsBody(R"({"a":[{"exists":false}]})", other)) << other;
  }
}

TEST(FilterPolicy, LimitsAndFaults) {
  for (const char* bad :
       {"", "[]", "3", "{", R"({"k":"v"})", R"({"k":[]})", R"({"k":[[1]]})", R"({"k":[{}]})", R"({"k":[{"like":"x"}]})",
        R"({"k":[{"prefix":1}]})", R"({"k":[{"prefix":"a","suffix":"b"}]})", R"({"k":[{"numeric":[]}]})",
        R"({"k":[{"numeric":["=","5"]}]})", R"({"k":[{"numeric":[">",1,">",2]}]})", R"({"k":[{"numeric":[">",5,"<",1]}]})",
        R"({"k":[{"numeric":["=",1,"<",2]}]})", R"({"k":[1e10]})", R"({"k":[{"exists":"yes"}]})",
        R"({"k":[{"cidr":"10.0.0.0/33"}]})", R"({"k":[{"cidr":"host"}]})", R"({"k":[{"cidr":"10.0.0.0/"}]})",
        R"({"k":[{"anything-but":[]}]})", R"({"k":[{"anything-but":{"cidr":"x"}}]})", R"({"k":[{"anything-but":[true]}]})",
        R"({"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]})", R"({"k":{"inner":["v"]}})"}) {
    EXPECT_FALSE(FilterPolicy::Parse(bad, kAttributes).ok()) << bad;
  }
  std::string values = "[0";
  for (int i = 1; i < 13; ++i) values += ',' + std::to_string(i);
  values += ']';
  EXPECT_FALSE(FilterPolicy::Parse("{\"a\":" + values + ",\"b\":" + values + "}", kAttributes).ok());  // 13 x 13
  EXPECT_TRUE(FilterPolicy::Parse("{\"a\":" + values + ",\"b\":[1,2,3,4,5]}", kAttributes).ok());
  // 4 values three levels deep, 3 values two deep: 4 x 3 x 3 x 2 = 72.
  EXPECT_TRUE(FilterPolicy::Parse(R"({"a":{"b":{"c":["1","2","3","4"]}},"d":{"e":["1","2","3"]}})", kBody).ok());
  EXPECT_FALSE(FilterPolicy::Parse(R"({"a":{"b":{"c":["1","2","3","4"]}},"d":{"e":{"f":["1","2","3","4","5"]}}})", kBody).ok());
  EXPECT_FALSE(FilterPolicy::Parse(R"({"a":{}})", kBody).ok());
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(FilterPolicy::Parse(deep, kBody).ok());
  std::string nested = "[1]";
  for (int i = 0; i < 40; ++i) nested = "{\"a\":" + nested + '}';
  EXPECT_FALSE(FilterPolicy::Parse(nested, kBody).ok());
}

}  // namespace
}  // namespace fleetward::notify
