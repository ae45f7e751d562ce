// Malformed reports, one fault each. The same content is tried as CBOR where CBOR can say it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleetward/base/encoding.h"
#include "fleetward/report/decode.h"
#include "fleetward/report/encode.h"
#include "test_reports.h"

namespace fleetward::report {
namespace {

void ExpectRejected(Format format, std::string_view payload, std::string_view shown) {
  ReportDecoder decoder;
  MetricReport report;
  auto status = decoder.Decode(format, payload, report);
  ASSERT_FALSE(status.ok()) << shown;
  EXPECT_EQ(status.error().code(), Code::kInvalidArgument) << shown;
  EXPECT_EQ(status.error().message(), kMalformedReport) << shown;
  EXPECT_FALSE(status.error().detail().empty()) << shown;
}

std::string Metrics(std::string_view metrics) {
  return R"({"header":{"report_id":1,"version":"1.0"},"metrics":)" + std::string(metrics) + "}";
}
std::string Custom(std::string_view custom) {
  return R"({"header":{"report_id":1,"version":"1.0"},"custom_metrics":)" + std::string(custom) + "}";
}
std::string Header(std::string_view header) { return R"({"metrics":{},"header":)" + std::string(header) + "}"; }
std::string Ports(std::string_view entry) { return Metrics(R"({"listening_tcp_ports":{"ports":[)" + std::string(entry) + "]}}"); }
std::string Connection(std::string_view entry) {
  return Metrics(R"({"tcp_connections":{"established_connections":{"connections":[)" + std::string(entry) + "]}}}");
}

TEST(Reject, WrongContentInBothForms) {
  const std::string cases[] = {
      "[]", "{}", "null", "\"header\"", "17", R"({"header":{"report_id":1,"version":"1.0"}})", R"({"metrics":{}})",
      Header("null"), Header("[]"), Header("{}"), Header(R"({"report_id":1})"), Header(R"({"version":"1.0"})"),
      Header(R"({"report_id":-1,"version":"1.0"})"), Header(R"({"report_id":1.5,"version":"1.0"})"),
      Header(R"({"report_id":"1","version":"1.0"})"), Header(R"({"report_id":null,"version":"1.0"})"),
      Header(R"({"report_id":1.8446744073709552e19,"version":"1.0"})"), Header(R"({"report_id":1,"version":1.0})"),
      Header(R"({"report_id":1,"version":"2.0"})"), Header(R"({"report_id":1,"version":"1."})"),
      Header(R"({"report_id":1,"version":"1"})"), Header(R"({"report_id":1,"version":"1.0000"})"),
      Header(R"({"report_id":1,"version":"1.x"})"), Header(R"({"report_id":1,"version":"1.0","spooled_at":-5})"),
      Header(R"({"report_id":1,"version":"1.0","spooled_at":1e15})"),
      Metrics("null"), Metrics("[]"), Metrics("5"), Metrics(R"({"listening_tcp_ports":[]})"),
      Metrics(R"({"listening_udp_ports":null})"), Metrics(R"({"listening_tcp_ports":{"ports":{}}})"),
      Metrics(R"({"listening_tcp_ports":{"ports":null}})"), Metrics(R"({"listening_tcp_ports":{"total":-1}})"),
      Metrics(R"({"listening_tcp_ports":{"total":"3"}})"), Metrics(R"({"listening_tcp_ports":{"total":0.5}})"),
      Ports("22"), Ports("{}"), Ports(R"({"port":0})"), Ports(R"({"port":65536})"), Ports(R"({"port":-1})"),
      Ports(R"({"port":22.5})"), Ports(R"({"port":"22"})"), Ports(R"({"port":null})"), Ports(R"({"interface":"eth0"})"),
      Ports(R"({"port":22,"interface":5})"), Ports(R"({"port":22,"pt":22})"),
      Metrics(R"({"network_stats":[]})"), Metrics(R"({"network_stats":{"bytes_in":-1}})"),
      Metrics(R"({"network_stats":{"bytes_in":9223372036854775808}})"), Metrics(R"({"network_stats":{"bytes_out":1e19}})"),
      Metrics(R"({"network_stats":{"packets_in":"1"}})"), Metrics(R"({"network_stats":{"packets_out":true}})"),
      Metrics(R"({"network_stats":{"bytes_in":1,"bi":1}})"), Metrics(R"({"ns":{},"network_stats":{}})"),
      Metrics(R"({"tcp_connections":[]})"), Metrics(R"({"tcp_connections":{"established_connections":[]}})"),
      Metrics(R"({"tcp_connections":{"ec":{"cs":{}}}})"), Metrics(R"({"tcp_connections":{"ec":{"t":-1}}})"),
      Connection("{}"), Connection(R"("1.2.3.4:5")"), Connection(R"({"local_port":1})"), Connection(R"({"remote_addr":1})"),
      Connection(R"({"remote_addr":""})"), Connection(R"({"remote_addr":"example.com:80"})"),
      Connection(R"({"remote_addr":"1.2.3.4:70000"})"), Connection(R"({"remote_addr":null})"),
      Connection(R"({"remote_addr":"1.2.3.4:5","local_port":-1})"),
      Connection(R"({"remote_addr":"1.2.3.4:5","local_port":70000})"),
      Connection(R"({"remote_addr":"1.2.3.4:5","local_port":"http"})"),
      Connection(R"({"remote_addr":"1.2.3.4:5","local_port":""})"),
      Connection(R"({"remote_addr":"1.2.3.4:5","local_interface":[]})"),
      Custom("null"), Custom("[]"), Custom(R"({"m":{"number":0}})"), Custom(R"({"m":[]})"), Custom(R"({"m":5})"),
      Custom(R"({"m":[{"number":0},{"number":0}]})"), Custom(R"({"m":[{}]})"), Custom(R"({"m":[5]})"),
      Custom(R"({"m":[{"number":0,"number_list":[0]}]})"), Custom(R"({"m":[{"integer":0}]})"),
      Custom(R"({"m":[{"number":"0"}]})"), Custom(R"({"m":[{"number":null}]})"), Custom(R"({"m":[{"number":[0]}]})"),
      Custom(R"({"m":[{"number_list":0}]})"), Custom(R"({"m":[{"number_list":["0"]}]})"),
      Custom(R"({"m":[{"string_list":[0]}]})"), Custom(R"({"m":[{"string_list":"x"}]})"),
      Custom(R"({"m":[{"ip_list":[1]}]})"), Custom(R"({"m":[{"ip_list":"1.2.3.4"}]})"), Custom(R"({"":[{"number":0}]})"),
      Custom(R"({")" + std::string(kMaxCustomNameBytes + 1, 'n') + R"(":[{"number":0}]})"),
  };
  for (const std::string& text : cases) {
    ExpectRejected(Format::kJson, text, text);
    auto cbor = nlohmann::ordered_json::to_cbor(nlohmann::ordered_json::parse(text));
    ExpectRejected(Format::kCbor, {reinterpret_cast<const char*>(cbor.data()), cbor.size()}, "cbor of " + text);
  }
}

TEST(Reject, BrokenJson) {
  const std::string good = Metrics("{}");
  const std::string cases[] = {
      "", " ", std::string(1, '\0'), "{", "}", "{\"", good + "x", good + "}", good + good, good + ",", good + "\"",
      good.substr(0, good.size() - 1), "[" + good + "]", "\xef\xbb\xbf" + good, good + "/* comment */",
      Metrics("{,}"), Metrics("{}}"), Metrics("{\"a\"}"), Metrics("{\"a\":}"), Metrics("{\"a\":1,}"), Metrics("{\"a\" 1}"),
      Metrics("{a:1}"), Metrics("{'a':1}"), Metrics("{\"a\":1 \"b\":2}"), Metrics("{\"a\":01}"), Metrics("{\"a\":1.}"),
      Metrics("{\"a\":.5}"), Metrics("{\"a\":-}"), Metrics("{\"a\":+1}"), Metrics("{\"a\":1e}"), Metrics("{\"a\":0x1}"),
      Metrics("{\"a\":NaN}"), Metrics("{\"a\":Infinity}"), Metrics("{\"a\":tru}"), Metrics("{\"a\":truee}"),
      Metrics("{\"a\":nul}"), Metrics("{\"a\":nulll}"), Metrics("{\"a\":fals}"), Metrics("{\"a\":[1,]}"),
      Metrics("{\"a\":[1 2]}"), Metrics("{\"a\":[1}"), Metrics("{\"a\":\"\\x\"}"), Metrics("{\"a\":\"\\u12\"}"),
      Metrics("{\"a\":\"\\ud800\"}"), Metrics("{\"a\":\"\\udc00\"}"), Metrics("{\"\\ud800\":1}"),
      Metrics("{\"a\":\"tab\there\"}"), Metrics("{\"a\":\"\xff\"}"), Metrics("{\"a\":\"\xc0\x80\"}"),
      Metrics("{\"a\":\"\xed\xa0\x80\"}"), Metrics("{\"\xff\":1}"), Metrics("{\"a\":1e999}"),
      Metrics(R"({"network_stats":{"bytes_in":1,"bytes_in":1}})"), Metrics(R"({"network_stats":{"bytes_in":1,"bytes\u005fin":1}})"),
      Metrics(R"({"network_stats":{"bytes_in":18446744073709551616}})"),
      R"({"header":{"report_id":1,"version":"1.0"},"hed":{"report_id":1,"version":"1.0"},"metrics":{}})",
      R"({"header":{"report_id":1,"version":"1.0"},"metrics":{},"metrics":{}})",
      R"({"header":{"report_id":1,"rid":1,"version":"1.0"},"metrics":{}})",
      Custom(R"({"m":[{"number":1}],"m":[{"number":1}]})"), Custom(R"({"m":[{"number":1,"number":1}]})"),
      Custom(R"({"m":[{"number":1e400}]})"),
      Metrics("{\"a\":" + std::string(kMaxDepth + 2, '[') + std::string(kMaxDepth + 2, ']') + "}"),
      Metrics("{\"a\":" + std::string(60000, '[') + std::string(60000, ']') + "}"), std::string(100000, '['),
      Metrics("{\"a\":\"" + std::string(kMaxPayloadBytes, 'x') + "\"}"),
  };
  for (const std::string& text : cases) ExpectRejected(Format::kJson, text, text.substr(0, 200));
}

TEST(Reject, EveryTruncationOfAGoodReport) {
  std::string payload;
  for (Format format : {Format::kJson, Format::kCbor}) {
    EncodeReport(FullReport(), format, Names::kLong, payload);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      ExpectRejected(format, std::string_view(payload).substr(0, size), std::to_string(size));
    }
  }
}

TEST(Reject, BrokenCbor) {
  // {"hed": {"rid": 1, "v": "1.0"}, "met": …}, in hex.
  const std::string head = "a263686564a263726964016176" "63312e30" "636d6574";
  ReportDecoder decoder;
  MetricReport report;
  ASSERT_TRUE(decoder.Decode(Format::kCbor, *HexDecode(head + "a0"), report).ok());
  ASSERT_TRUE(decoder.Decode(Format::kCbor, *HexDecode("d9d9f7" + head + "c0bfff"), report).ok());  // tags, indefinite
  const std::string cases[] = {
      head,                                   // the value is missing
      head + "a000",                          // something follows
      head + "bf",                            // no break
      head + "ff",                            // a break as a value
      head + "bbffffffffffffffff",            // 2^64-1 members
      head + "ba7fffffff",
      head + "a1616180ff",                    // break after the end
      head + "a1" "6161" "9bffffffffffffffff",  // 2^64-1 elements
      head + "a1" "6161" "7bffffffffffffffff",  // text of 2^64-1 bytes
      head + "a1" "6161" "5affffffff",
      head + "a1" "6161" "1c",                // reserved lengths
      head + "a1" "6161" "fe",
      head + "a1" "6161" "1f",                // an indefinite integer
      head + "a1" "6161" "df00",              // an indefinite tag
      head + "a1" "6161" "f818",              // a simple value that has a shorter form
      head + "a1" "6161" "61ff",              // text that is no UTF-8
      head + "a1" "61ff" "00",                // a key that is none
      head + "a1" "4161" "00",                // a key of bytes
      head + "a1" "00" "00",                  // a key of integer
      head + "a1" "7f6161ff" "00",            // a key in chunks
      head + "a1" "6161" "7f4161ff",          // chunks of another type
      head + "a1" "6161" "7f7f6161ffff",      // chunks in chunks
      head + "a1" "6161" "c0",                // a tag of nothing
      head + "bf" "6161" "ff",                // a key without value
      head + "a1" "626e73" "a1" "626269" "f97e00",              // bytes_in is NaN
      head + "a1" "626e73" "a1" "626269" "f97c00",              // … infinite
      head + "a1" "626e73" "a1" "626269" "20",                  // … -1
      head + "a1" "626e73" "a1" "626269" "1b8000000000000000",  // … 2^63
      head + "a1" "626e73" "a1" "626269" "c24101",              // … a bignum
      head + "a1" "626e73" "a2" "626269" "01" "626269" "01",    // … twice
  };
  for (const std::string& hex : cases) ExpectRejected(Format::kCbor, *HexDecode(hex), hex);
  std::string nested = *HexDecode(head + "a16161");
  ExpectRejected(Format::kCbor, nested + std::string(100000, '\x81'), "nested arrays");
  ExpectRejected(Format::kCbor, nested + std::string(100000, '\xc0'), "nested tags");
  ExpectRejected(Format::kCbor, nested + std::string(100000, '\x9f'), "nested indefinite arrays");
  ExpectRejected(Format::kCbor, std::string(kMaxPayloadBytes + 1, '\xa0'), "too long");
}

}  // namespace
}  // namespace fleetward::report
