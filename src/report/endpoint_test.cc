#include "endpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fleetward::report {
namespace {

void ExpectEndpoint(std::string_view text, std::string_view address, int port) {
  RemoteEndpoint endpoint;
  ASSERT_TRUE(ParseEndpoint(text, endpoint)) << text;
  EXPECT_EQ(endpoint.address.ToString(), address) << text;
  EXPECT_EQ(endpoint.port, port) << text;
}

TEST(Endpoint, ReadsEveryFormAgentsWrite) {
  ExpectEndpoint("192.0.2.1:443", "192.0.2.1", 443);
  ExpectEndpoint("255.255.255.255:65535", "255.255.255.255", 65535);
  ExpectEndpoint("192.0.2.1", "192.0.2.1", 0);
  ExpectEndpoint("[2001:db8::1]:443", "2001:db8::1", 443);
  ExpectEndpoint("[2001:db8::1]", "2001:db8::1", 0);
  ExpectEndpoint("2001:db8::1:443", "2001:db8::1", 443);
  ExpectEndpoint("::1", "::1", 0);
  ExpectEndpoint("[::ffff:192.0.2.1]:8883", "192.0.2.1", 8883);
  ExpectEndpoint("::ffff:192.0.2.1:8883", "192.0.2.1", 8883);
  ExpectEndpoint("[fe80::1%eth0]:22", "fe80::1", 22);
}

TEST(Endpoint, RefusesWhatIsNoAddress) {
  for (const char* bad : {"", ":", "host:80", "1.2.3:80", "1.2.3.4.5:80", "256.1.1.1:1", "01.2.3.4:1", "1.2.3.4:", "1.2.3.4:x",
                          "1.2.3.4:65536", "1.2.3.4:-1", "[::1", "[::1]443", "[::1]:", "[]:1", "1.2.3.4 :1", " 1.2.3.4",
                          "1.2.3.4:99999999999999999999", "[1.2.3.4:80"}) {
    RemoteEndpoint endpoint;
    EXPECT_FALSE(ParseEndpoint(bad, endpoint)) << bad;
  }
}

/// The two fast readers, on `text` in a buffer of the size that they ask for: what they take, ParseEndpoint takes alike.
void ExpectFastReadersAgree(const std::string& text) {
  RemoteEndpoint slow;
  const bool is_endpoint = ParseEndpoint(std::string_view(text), slow);
  for (char behind : {'1', '.', ':', '"', '\0'}) {
    std::vector<char> buffer(kEndpointBytes, behind);
    std::copy(text.begin(), text.end(), buffer.begin());
    RemoteEndpoint fast;
    if (ParseV4(std::string_view(buffer.data(), text.size()), fast)) {
      EXPECT_TRUE(is_endpoint && fast == slow) << text << behind;
    }
    buffer[text.size()] = '"';
    if (ParseQuotedV4(buffer.data(), fast)) {
      EXPECT_TRUE(is_endpoint && fast == slow) << text << behind;
    }
  }
}

TEST(Endpoint, FastReadersReadWhatIsUsual) {
  char text[kEndpointBytes] = "203.0.113.77:8883\"..........";
  RemoteEndpoint endpoint;
  ASSERT_TRUE(ParseQuotedV4(text, endpoint));
  EXPECT_EQ(endpoint.address.ToString(), "203.0.113.77");
  EXPECT_EQ(endpoint.port, 8883);
  ASSERT_TRUE(ParseV4({text, 17}, endpoint));
  EXPECT_EQ(endpoint.port, 8883);
  for (std::string other : {"256.1.1.1:1", "1.2.3.4:65536", "01.2.3.4:1", "1.2.3.4:01", "1.2.3.4:", "1.2.3.4", "1.2.3.4:000001",
                            "1.2.3.4.5:6", "1.2.3:4", "1..3.4:5", "1111.2.3.4:5", "300.2.3.4:5", "1.2.3.4:5:6", "", ":",
                            "199.299.1.1:1", "99.99.99.999:9", "1.2.3.4:123456789"}) {
    ExpectFastReadersAgree(other);
  }
}

/// Every length of octets and port, so that each way through the fast reader is taken, and each with one byte spoilt.
TEST(Endpoint, ReadsEveryLengthOfDottedAddress) {
  const char* octets[] = {"7", "42", "203"};
  const char* ports[] = {"", ":1", ":22", ":443", ":8883", ":65535"};
  for (int shape = 0; shape < 81; ++shape) {
    std::string address = std::string(octets[shape % 3]) + '.' + octets[shape / 3 % 3] + '.' + octets[shape / 9 % 3] + '.' +
                          octets[shape / 27];
    for (std::string port : ports) {
      const std::string text = address + port;
      ExpectEndpoint(text, address, port.empty() ? 0 : std::stoi(port.substr(1)));
      ExpectFastReadersAgree(text);
      for (std::size_t i = 0; i < text.size(); ++i) {
        std::string spoilt = text;
        spoilt[i] = '/';
        RemoteEndpoint endpoint;
        EXPECT_FALSE(ParseEndpoint(std::string_view(spoilt), endpoint)) << spoilt;
        ExpectFastReadersAgree(spoilt);
      }
    }
  }
}

/// Texts of the lengths that are read as sixteen bytes, in buffers of just that size.
TEST(Endpoint, ReadsNothingBehindTheText) {
  for (std::string text : {"1111111111.....", "1.1.1111111111..", "11111111111111..", "1.1.1.1", "1.1.1.1:", "................",
                           "111.111.111111.1", "111.111.111.111.", "1.1.1.1:00000001"}) {
    std::vector<char> exact(text.begin(), text.end());
    RemoteEndpoint endpoint;
    EXPECT_EQ(ParseEndpoint(std::string_view(exact.data(), exact.size()), endpoint), text == "1.1.1.1") << text;
  }
}

TEST(Endpoint, AddressesMayBePrefixes) {
  EXPECT_EQ(ParseAddress("10.0.0.1")->length, 128);
  EXPECT_EQ(ParseAddress("10.0.0.0/8")->length, 104);
  EXPECT_EQ(ParseAddress("fe80::1%eth0")->address.ToString(), "fe80::1");
  EXPECT_FALSE(ParseAddress("10.0.0.1:80"));
}

}  // namespace
}  // namespace fleetward::report
