#include <gtest/gtest.h>

#include <limits>

#include "fleetward/api/codec/json.h"
#include "fleetward/api/codec/time.h"
#include "form.h"

namespace fleetward::api::codec {
namespace {

/// Reads one member "x" of a document with `read` and returns its fault, or "".
template <class Read>
std::string FaultOf(std::string_view json, Read read) {
  Input input = Input::Document(json);
  Value root = input.Root();
  if (root.IsStruct()) {
    if (Value x = root.Member("x")) read(x);
  }
  Status done = input.Finish();
  return done.ok() ? "" : done.error().message();
}

TEST(Value, TypesAreChecked) {
  auto string = [](const Value& v) { v.String(); };
  auto integer = [](const Value& v) { v.Int(); };
  auto boolean = [](const Value& v) { v.Bool(); };
  EXPECT_EQ(FaultOf(R"({"x":"a"})", string), "");
  EXPECT_EQ(FaultOf(R"({"x":null})", string), "");
  EXPECT_EQ(FaultOf(R"({"x":1})", string), "x: must be a string");
  EXPECT_EQ(FaultOf(R"({"x":[]})", string), "x: must be a string");
  EXPECT_EQ(FaultOf(R"({"x":5})", integer), "");
  EXPECT_EQ(FaultOf(R"({"x":5.0})", integer), "");
  EXPECT_EQ(FaultOf(R"({"x":5.5})", integer), "x: must be an integer");
  EXPECT_EQ(FaultOf(R"({"x":"5"})", integer), "x: must be an integer");
  EXPECT_EQ(FaultOf(R"({"x":4294967296})", integer), "x: must be a 32-bit integer");
  EXPECT_EQ(FaultOf(R"({"x":18446744073709551615})", integer), "x: must be an integer");
  EXPECT_EQ(FaultOf(R"({"x":1e300})", integer), "x: must be an integer");
  EXPECT_EQ(FaultOf(R"({"x":true})", boolean), "");
  EXPECT_EQ(FaultOf(R"({"x":"true"})", boolean), "x: must be true or false");
  EXPECT_EQ(FaultOf(R"({"x":1})", boolean), "x: must be true or false");
  EXPECT_EQ(FaultOf(R"({"x":"AAE="})", [](const Value& v) { EXPECT_EQ(v.Blob(), std::string("\0\1", 2)); }), "");
  EXPECT_EQ(FaultOf(R"({"x":"%"})", [](const Value& v) { v.Blob(); }), "x: must be base64 text");
}

TEST(Value, LengthsCountCodePoints) {
  StringRule rule{.min = 2, .max = 3};
  auto read = [&](const Value& v) { v.String(rule); };
  EXPECT_EQ(FaultOf(R"({"x":"üü"})", read), "");
  EXPECT_EQ(FaultOf(R"({"x":"\ud83d\ude00aa"})", read), "");
  EXPECT_NE(FaultOf(R"({"x":"ü"})", read), "");
  EXPECT_NE(FaultOf(R"({"x":"üüüü"})", read), "");
}

TEST(Value, RangesAndSizes) {
  IntRule ten{.min = 1, .max = 10};
  EXPECT_EQ(FaultOf(R"({"x":11})", [&](const Value& v) { v.Int(ten); }),
            "1 validation error detected: Value '11' at 'x' failed to satisfy constraint: Member must have value less "
            "than or equal to 10");
  EXPECT_NE(FaultOf(R"({"x":0})", [&](const Value& v) { v.Int(ten); }), "");
  SizeRule one{.min = 1, .max = 1};
  auto list = [&](const Value& v) { v.ListSize(one); };
  EXPECT_NE(FaultOf(R"({"x":[]})", list), "");
  EXPECT_EQ(FaultOf(R"({"x":[1]})", list), "");
  EXPECT_NE(FaultOf(R"({"x":[1,2]})", list), "");
  EXPECT_EQ(FaultOf(R"({"x":{"a":1}})", list), "x: must be a list");
}

TEST(Value, SecretsAndLongTextsAreNotRepeated) {
  StringRule hidden{.min = 0, .max = 1, .sensitive = true};
  EXPECT_EQ(FaultOf(R"({"x":"hunter2"})", [&](const Value& v) { v.String(hidden); }).find("hunter2"), std::string::npos);
  StringRule shorter{.max = 1};
  std::string fault = FaultOf("{\"x\":\"" + std::string(100'000, 'a') + "\"}", [&](const Value& v) { v.String(shorter); });
  EXPECT_LT(fault.size(), 300u);
}

TEST(Input, HostileDocuments) {
  auto nothing = [](const Value&) {};
  for (const std::string& bad :
       {std::string("["), std::string("[]"), std::string("1"), std::string("{\"a\":}"), std::string("{\"a\":1}x"),
        std::string("{\"a\":1e999}"), std::string("{\"a\":\"\xff\"}"), std::string("{\"a\":\"\\ud800\"}"),
        "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", std::string(1'000'000, '['),
        std::string("{\"a\":\"\x01\"}"), std::string("\xef\xbb\xbf{")}) {
    EXPECT_NE(FaultOf(bad, nothing), "") << bad.substr(0, 40);
  }
  for (const char* empty : {"", "  \r\n", "{}"}) EXPECT_EQ(FaultOf(empty, nothing), "") << empty;
}

TEST(Input, TextFromUrisAndHeaders) {
  RequestParts parts;
  parts.labels = {{"name", "a:b"}};
  parts.query = {{"n", "5"}, {"flag", "true"}, {"bad", "5x"}, {"utf", "\xff"}, {"t", "2026-11-22T12:00:00Z"}};
  parts.headers = {{"X-Principal", "arn"}};
  Input input = Input::Rest(parts);
  EXPECT_EQ(input.Label("name").String(), "a:b");
  EXPECT_EQ(input.Query("n").Int(), 5);
  EXPECT_TRUE(input.Query("flag").Bool());
  EXPECT_EQ(Iso8601(input.Query("t").Time()), "2026-11-22T12:00:00.000Z");
  EXPECT_EQ(input.Header("x-principal").String(), "arn");
  EXPECT_FALSE(input.Query("absent"));
  EXPECT_TRUE(input.ok());
  input.Query("bad").Int();
  EXPECT_EQ(input.Finish().error().message(), "bad: must be an integer");
  Input other = Input::Rest(parts);
  other.Query("utf").String();
  EXPECT_FALSE(other.ok());
  Input third = Input::Rest(parts);
  third.Label("gone", kRequired);
  EXPECT_NE(third.Finish().error().message().find("'gone'"), std::string::npos);
}

nlohmann::json Tree(std::vector<NameValue> form) {
  Result<nlohmann::json> tree = FormTree(form);
  return tree.ok() ? tree.value() : nlohmann::json("error");
}

TEST(FormTree, ListsMapsAndStructures) {
  EXPECT_EQ(Tree({{"A", "1"}}), nlohmann::json::parse(R"({"A":"1"})"));
  EXPECT_EQ(Tree({{"T.member.2.Key", "b"}, {"T.member.1.Key", "a"}, {"T.member.10.Key", "c"}}),
            nlohmann::json::parse(R"({"T":[{"Key":"a"},{"Key":"b"},{"Key":"c"}]})"));
  EXPECT_EQ(Tree({{"M.entry.1.key", "k"}, {"M.entry.1.value", "v"}}), nlohmann::json::parse(R"({"M":{"k":"v"}})"));
  EXPECT_EQ(Tree({{"M.entry.1.Name", "k"}, {"M.entry.1.Value.DataType", "String"}}),
            nlohmann::json::parse(R"({"M":{"k":{"DataType":"String"}}})"));
}

TEST(FormTree, RefusesContradictions) {
  for (std::vector<NameValue> form : std::vector<std::vector<NameValue>>{
           {{"A", "1"}, {"A", "2"}}, {{"A", "1"}, {"A.b", "2"}}, {{"A.b", "1"}, {"A", "2"}}, {{".", "1"}}, {{"", "1"}},
           {{"A..b", "1"}}, {{"A.member.x", "1"}}, {{"A.member.0", "1"}}, {{"A.member.-1", "1"}},
           {{"A.member.99999999999", "1"}}, {{"A.member", "1"}}, {{"A.entry.1.value", "v"}},
           {{"A.entry.1.key", "k"}, {"A.entry.2.key", "k"}}, {{"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "1"}}}) {
    EXPECT_EQ(Tree(form), "error") << form[0].first;
  }
}

TEST(JsonWriter, EscapesAndNumbers) {
  std::string out;
  JsonWriter writer(out);
  writer.BeginStruct();
  writer.Member("s");
  writer.String("\"\\\n\x01\x7f\xffü");
  writer.Member("l");
  writer.BeginList();
  writer.Item();
  writer.Double(0.1);
  writer.Item();
  writer.Double(std::numeric_limits<double>::infinity());
  writer.Item();
  writer.Time(FromMillis(1'700'000'000'120));
  writer.Item();
  writer.Time(FromMillis(1'700'000'000'000));
  writer.EndList();
  writer.Member("m");
  writer.BeginMap();
  writer.EndMap();
  writer.EndStruct();
  EXPECT_EQ(out, "{\"s\":\"\\\"\\\\\\n\\u0001\\u007f\xEF\xBF\xBDü\",\"l\":[0.1,null,1700000000.12,1700000000],\"m\":{}}");
}

// threats.md w: names in XML.
TEST(XmlWriter, EscapesMarkupAndControls) {
  EXPECT_EQ(XmlEscape("<a b='c'>&\"\x01\r\xff"), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\xEF\xBF\xBD&#13;\xEF\xBF\xBD");
  std::string out;
  XmlWriter writer(out);
  writer.BeginStruct();
  writer.Member("L");
  writer.BeginList();
  writer.Item();
  writer.String("1");
  writer.Item();
  writer.String("2");
  writer.EndList();
  writer.Member("M");
  writer.BeginMap();
  writer.Key("<k>");
  writer.String("v");
  writer.EndMap();
  writer.EndStruct();
  EXPECT_EQ(out,
            "<L><member>1</member><member>2</member></L><M><entry><key>&lt;k&gt;</key><value>v</value></entry></M>");
}

TEST(ParseTime, TakesBothForms) {
  auto iso = [](std::string_view text) {
    std::optional<Timestamp> time = ParseTime(text);
    return time ? Iso8601(*time) : "";
  };
  EXPECT_EQ(iso("2026-11-22T12:00:00Z"), "2026-11-22T12:00:00.000Z");
  EXPECT_EQ(iso("2026-11-22T12:00:00.5+01:30"), "2026-11-22T10:30:00.500Z");
  EXPECT_EQ(iso("2026-11-22"), "2026-11-22T00:00:00.000Z");
  EXPECT_EQ(iso("2026-11-22T12:00:00.123456"), "2026-11-22T12:00:00.123Z");
  EXPECT_EQ(iso("1700000000.5"), "2023-11-14T22:13:20.500Z");
  for (const char* bad : {"", "x", "2026-13-01", "2026-02-30", "2026-11-22T25:00:00Z", "2026-11-22T12:00:00+99:00",
                          "1e400", "nan", "-5", "99999999999999", "2026-11-22T12:00:00Zjunk", "+026-11-22"}) {
    EXPECT_EQ(iso(bad), "") << bad;
  }
}

}  // namespace
}  // namespace fleetward::api::codec
