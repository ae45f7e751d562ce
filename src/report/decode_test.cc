#include "fleetward/report/decode.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleetward/report/encode.h"
#include "test_reports.h"

namespace fleetward::report {
namespace {

MetricReport MustDecode(std::string_view json) {
  JsonDecoder decoder;
  MetricReport report;
  auto status = decoder.Decode(json, report);
  EXPECT_TRUE(status.ok()) << json << (status.ok() ? "" : status.error().ToString());
  return report;
}

TEST(Decode, RoundTripsWhatTheEncoderWrites) {
  ReportMaker maker(5);
  ReportDecoder decoder;
  std::string payload;
  MetricReport back;
  for (int i = 0; i < 500; ++i) {
    MetricReport report = i == 0 ? FullReport() : maker.Make();
    for (Format format : {Format::kJson, Format::kCbor}) {
      for (Names names : {Names::kLong, Names::kShort}) {
        EncodeReport(report, format, names, payload);
        auto status = decoder.Decode(format, payload, back);
        ASSERT_TRUE(status.ok()) << status.error().ToString() << "\n" << payload;
        ASSERT_EQ(back, report) << payload;
      }
    }
  }
}

/// What lies behind a payload that is not copied must not matter, wherever the payload is cut off.
TEST(Decode, WhatFollowsAPayloadDoesNotMatter) {
  using namespace std::string_view_literals;
  std::string payload;
  EncodeReport(FullReport(), Format::kJson, Names::kLong, payload);
  JsonDecoder decoder;
  MetricReport copied, in_place;
  for (std::size_t size = 0; size <= payload.size(); ++size) {
    const std::string cut = payload.substr(0, size);
    bool ok = decoder.Decode(cut, copied).ok();
    EXPECT_EQ(ok, size == payload.size()) << cut;
    for (std::string_view behind : {"}"sv, "]"sv, "\""sv, ","sv, "0"sv, "9\""sv, "}}}}"sv, "\\\""sv, ":1}"sv, "\0"sv, " "sv}) {
      std::string text = cut;
      while (text.size() < size + kDecodeSlack) text += behind;
      ASSERT_EQ(decoder.Decode(std::string_view(text).substr(0, size), in_place, text.size() - size).ok(), ok) << text;
      if (ok) {
        EXPECT_EQ(in_place, copied);
      }
    }
  }
}

/// One backslash anywhere takes the other way through the decoder: the report is the same.
TEST(Decode, EscapesChangeNothing) {
  ReportMaker maker(8);
  JsonDecoder decoder;
  MetricReport plain, escaped;
  std::string payload;
  for (int i = 0; i < 100; ++i) {
    EncodeReport(maker.Make(), Format::kJson, Names::kLong, payload);
    ASSERT_TRUE(decoder.Decode(payload, plain).ok());
    auto at = payload.find("header");
    payload.replace(at, 1, "\\u0068");
    payload.insert(1, "\"new\":\"\\n\",");
    ASSERT_TRUE(decoder.Decode(payload, escaped).ok()) << payload;
    ASSERT_EQ(plain, escaped) << payload;
  }
}

TEST(Decode, JsonAndCborOfOneContentAreOneReport) {
  ReportMaker maker(6);
  ReportDecoder decoder;
  MetricReport json_report;
  MetricReport cbor_report;
  std::string payload;
  for (int i = 0; i < 300; ++i) {
    EncodeReport(maker.Make(), Format::kJson, i % 2 ? Names::kLong : Names::kShort, payload);
    auto cbor = nlohmann::json::to_cbor(nlohmann::json::parse(payload));
    ASSERT_TRUE(decoder.Decode(Format::kJson, payload, json_report).ok());
    ASSERT_TRUE(decoder.Decode(Format::kCbor, {reinterpret_cast<const char*>(cbor.data()), cbor.size()}, cbor_report).ok());
    ASSERT_EQ(json_report, cbor_report) << payload;
  }
}

TEST(Decode, MixesNamesAndSkipsUnknownMembers) {
  MetricReport report = MustDecode(R"( {"new":{"a":[1,{"b":null}],"c":-1.5e-3},"hed":{"report_id":3,"v":"1.7","x":"\u00e9"},
    "metrics":{"tp":{"pts":[{"port":22,"interface":null,"pid":[true,false]},{"pt":8883,"if":"::"}],"total":2},"later":{}},
    "custom_metrics":{}} )");
  EXPECT_EQ(report.report_id, 3U);
  EXPECT_EQ(report.version_minor, 7);
  EXPECT_EQ(report.tcp.ports, (std::vector<std::uint16_t>{22, 8883}));
  EXPECT_FALSE(report.udp.listed);
}

TEST(Decode, TakesNumbersAsAgentsPrintThem) {
  MetricReport report = MustDecode(
      R"({"header":{"report_id":1.7e12,"version":"1.0"},"metrics":{"network_stats":{"bytes_in":1e3,"bytes_out":5.0,
      "packets_in":9223372036854775807,"packets_out":-0.0}},"custom_metrics":{"t":[{"number_list":[-1,0.5,1E2]}]}})");
  EXPECT_EQ(report.report_id, 1700000000000U);
  EXPECT_EQ(report.network.bytes_in, 1000);
  EXPECT_EQ(report.network.bytes_out, 5);
  EXPECT_EQ(report.network.packets_in, INT64_MAX);
  EXPECT_EQ(report.network.packets_out, 0);
  EXPECT_EQ(report.custom[0].numbers()[2], 100.0);
  EXPECT_EQ(MustDecode(R"({"hed":{"rid":18446744073709551615,"v":"1.0"},"met":{}})").report_id, ~std::uint64_t{0});
}

TEST(Decode, UnescapesNamesAndTexts) {
  MetricReport report = MustDecode(
      R"({"\u0068ed":{"rid":1,"v":"1.0"},"custom_metrics":{"a\"b":[{"string_list":["x\\y\n","\ud83d\ude00"]}]}})");
  ASSERT_EQ(report.custom.size(), 1U);
  EXPECT_EQ(report.custom[0].name(), "a\"b");
  EXPECT_EQ(report.custom[0].string(0), "x\\y\n");
  EXPECT_EQ(report.custom[0].string(1), "\xf0\x9f\x98\x80");
}

TEST(Decode, ToleratesOneNulAtTheEnd) {
  std::string text = R"({"hed":{"rid":1,"v":"1.0"},"met":{}})";
  MustDecode(text + std::string(1, '\0'));
  JsonDecoder decoder;
  MetricReport report;
  EXPECT_FALSE(decoder.Decode(text + std::string(2, '\0'), report).ok());
}

TEST(Decode, BadAddressCostsOnlyItsMetric) {
  MetricReport report = MustDecode(
      R"({"hed":{"rid":1,"v":"1.0"},"cmet":{"p":[{"ip_list":["10.0.0.1","nowhere"]}],"q":[{"ip_list":["10.0.0.0/8"]}]}})");
  EXPECT_EQ(report.custom[0].fault(), CustomFault::kBadAddress);
  EXPECT_EQ(ValueOf(report.custom[0]), model::MetricValue());
  EXPECT_EQ(report.custom[1].addresses()[0].length, 104);
}

TEST(Decode, TellsTheReportIdOfARefusedReport) {
  JsonDecoder json;
  CborDecoder cbor;
  MetricReport report;
  std::string text = R"({"metrics":{"network_stats":{"bytes_in":-1}},"header":{"report_id":77,"version":"1.0"}})";
  EXPECT_FALSE(json.Decode(text, report).ok());
  EXPECT_EQ(report.report_id, 77U);
  auto bytes = nlohmann::ordered_json::to_cbor(nlohmann::ordered_json::parse(text));
  EXPECT_FALSE(cbor.Decode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, report).ok());
  EXPECT_EQ(report.report_id, 77U);
  EXPECT_FALSE(json.Decode("{\"metrics\":{}}", report).ok());
  EXPECT_FALSE(report.report_id);
}

TEST(Decode, TakesListsUpToTheLimits) {
  std::string numbers = "0";
  for (std::size_t i = 1; i < kMaxListValues; ++i) numbers += ",0";
  std::string head = R"({"hed":{"rid":1,"v":"1.0"},"cmet":{)";
  EXPECT_EQ(MustDecode(head + R"("n":[{"number_list":[)" + numbers + "]}]}}").custom[0].numbers().size(), kMaxListValues);
  std::string metrics;
  for (std::size_t i = 0; i < kMaxCustomMetrics; ++i) {
    metrics += (i ? ",\"m" : "\"m") + std::to_string(i) + "\":[{\"number\":1}]";
  }
  EXPECT_EQ(MustDecode(head + metrics + "}}").custom.size(), kMaxCustomMetrics);
  JsonDecoder decoder;
  MetricReport report;
  EXPECT_FALSE(decoder.Decode(head + metrics + ",\"x\":[{\"number\":1}]}}", report).ok());
  EXPECT_FALSE(decoder.Decode(head + R"("n":[{"number_list":[0,)" + numbers + "]}]}}", report).ok());
  std::string text(kMaxStringBytes, 'x');
  EXPECT_TRUE(decoder.Decode(head + R"("n":[{"string_list":[")" + text + "\"]}]}}", report).ok());
  EXPECT_FALSE(decoder.Decode(head + R"("n":[{"string_list":["x)" + text + "\"]}]}}", report).ok());
}

}  // namespace
}  // namespace fleetward::report
