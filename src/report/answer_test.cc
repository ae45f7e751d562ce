#include "fleetward/report/answer.h"

#include <gtest/gtest.h>

namespace fleetward::report {
namespace {

Answer Rejected() {
  Answer answer;
  answer.thing_name = "sensor \"7\"\\\x01";
  answer.report_id = 1700000300;
  answer.accepted = false;
  answer.error_code = kInvalidPayload;
  answer.error_message = "Malformed metrics report";
  answer.timestamp = FromMillis(1700000301123);
  return answer;
}

TEST(Answer, JsonIsExactlyTheServices) {
  Answer answer;
  answer.thing_name = "sensor-7";
  answer.report_id = 1700000300;
  answer.timestamp = FromMillis(1700000301123);
  std::string out;
  EncodeAnswer(answer, Format::kJson, out);
  EXPECT_EQ(out, R"({"thingName":"sensor-7","reportId":1700000300,"status":"ACCEPTED","timestamp":1700000301123})");
  EncodeAnswer(Rejected(), Format::kJson, out);
  EXPECT_EQ(out, R"({"thingName":"sensor \"7\"\\\u0001","reportId":1700000300,"status":"REJECTED","statusDetails":)"
                 R"({"ErrorCode":"InvalidPayload","ErrorMessage":"Malformed metrics report"},"timestamp":1700000301123})");
}

TEST(Answer, CborHasTheSameKeys) {
  Answer answer;
  answer.thing_name = "a";
  answer.timestamp = FromMillis(5);
  std::string out;
  EncodeAnswer(answer, Format::kCbor, out);
  EXPECT_EQ(out, "\xa3\x69thingName\x61" "a\x66status\x68" "ACCEPTED\x69timestamp\x05");
}

TEST(Answer, RoundTrips) {
  Answer unknown_id = Rejected();
  unknown_id.report_id.reset();
  Answer accepted = Rejected();
  accepted.accepted = true;
  accepted.error_code = accepted.error_message = "";
  accepted.report_id = ~std::uint64_t{0};
  for (const Answer& answer : {Rejected(), unknown_id, accepted}) {
    for (Format format : {Format::kJson, Format::kCbor}) {
      std::string out;
      EncodeAnswer(answer, format, out);
      auto back = DecodeAnswer(out, format);
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(*back, answer);
      for (std::size_t size = 0; size < out.size(); ++size) {
        EXPECT_FALSE(DecodeAnswer(std::string_view(out).substr(0, size), format).ok()) << size;
      }
    }
  }
}

TEST(Answer, ToleratesOtherMembersAndSpace) {
  auto answer = DecodeAnswer(
      " { \"x\" : [1.5e3, {\"y\": null}, \"\\ud83d\\ude00\"], \"status\": \"REJECTED\", \"thingName\":\"\\u00e9\" } ",
      Format::kJson);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->accepted);
  EXPECT_EQ(answer->thing_name, "\xc3\xa9");
  for (const char* bad : {"", "null", "[]", "{}", R"({"status":"OK"})", R"({"status":"ACCEPTED"}x)", R"({"status":"ACCEPTED",})",
                          R"({"status":"ACCEPTED","reportId":-1})", R"({"status":"ACCEPTED","reportId":1.5})",
                          R"({"status":"ACCEPTED","thingName":"\ud800"})", R"({"status":"\x"})"}) {
    EXPECT_FALSE(DecodeAnswer(bad, Format::kJson).ok()) << bad;
  }
  EXPECT_FALSE(DecodeAnswer("{\"x\":" + std::string(1000, '[') + std::string(1000, ']') + ",\"status\":\"ACCEPTED\"}",
                            Format::kJson).ok());
}

}  // namespace
}  // namespace fleetward::report
