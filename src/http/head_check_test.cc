#include "head_check.h"

#include <gtest/gtest.h>

namespace fleetward::http {
namespace {

std::optional<Rejection> Check(std::vector<Header> headers, unsigned version = 11, std::string target = "/") {
  Request head;
  head.method = "POST";
  head.target = std::move(target);
  head.headers = std::move(headers);
  return CheckHead(head, version);
}

TEST(CheckHead, TakesOrdinaryRequests) {
  EXPECT_FALSE(Check({{"Host", "h"}}));
  EXPECT_FALSE(Check({{"host", "h"}, {"content-length", "5"}}));
  EXPECT_FALSE(Check({{"Host", "h"}, {"Transfer-Encoding", "Chunked"}}));
  EXPECT_FALSE(Check({}, 10));
}

struct Case {
  const char* name;
  std::vector<Header> headers;
  int status;
};

TEST(CheckHead, RefusesWhatTwoParsersMayReadDifferently) {
  const Header host{"Host", "h"};
  for (const Case& c : std::vector<Case>{
           {"two lengths", {host, {"Content-Length", "5"}, {"content-length", "5"}}, 400},
           {"length and coding", {host, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}, 400},
           {"signed length", {host, {"Content-Length", "+5"}}, 400},
           {"list of lengths", {host, {"Content-Length", "5, 5"}}, 400},
           {"unknown coding", {host, {"Transfer-Encoding", "gzip"}}, 501},
           {"coding before chunked", {host, {"Transfer-Encoding", "gzip, chunked"}}, 501},
           {"hidden coding", {host, {"Transfer-Encoding", "xchunked"}}, 501},
           {"two codings", {host, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, 400},
           {"two hosts", {host, host}, 400},
           {"no host", {}, 400},
           {"two authorizations", {host, {"Authorization", "a"}, {"authorization", "b"}}, 400},
           {"odd expectation", {host, {"Expect", "200-ok"}}, 417},
       }) {
    auto rejected = Check(c.headers);
    ASSERT_TRUE(rejected) << c.name;
    EXPECT_EQ(rejected->status, c.status) << c.name;
  }
  EXPECT_EQ(Check({{"Transfer-Encoding", "chunked"}}, 10)->status, 400);
  EXPECT_EQ(Check({host}, 20)->status, 505);
  EXPECT_EQ(Check({host}, 11, "http://other/")->status, 400);
  EXPECT_EQ(Check({host}, 11, "*")->status, 400);
}

TEST(Serialize, HeaderValuesCannotBreakLines) {
  std::string bytes = Serialize({200, {{"x-a", "1\r\nx-b: 2"}}, "hi"}, true, false, "D");
  EXPECT_EQ(bytes, "HTTP/1.1 200 OK\r\nDate: D\r\nx-a: 1  x-b: 2\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(Serialize({204, {}, ""}, false, false, "D"),
            "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace fleetward::http
