#include "fleetward/model/ip_address.h"

#include <gtest/gtest.h>

namespace fleetward::model {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->ToString(), "192.0.2.1");
  EXPECT_TRUE(IpAddress::Parse("192.0.2.1")->IsV4());
  EXPECT_EQ(IpAddress::Parse("2001:DB8::0:1")->ToString(), "2001:db8::1");
  EXPECT_EQ(IpAddress::Parse("::ffff:192.0.2.1"), IpAddress::Parse("192.0.2.1"));
  for (const char* bad : {"", "1.2.3", "1.2.3.4:80", "[::1]", "fe80::1%eth0", "256.1.1.1", " 1.2.3.4"}) {
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpPrefix, ContainsByBits) {
  auto ten = IpPrefix::Parse("10.1.2.3/9");
  ASSERT_TRUE(ten);
  EXPECT_EQ(ten->address.ToString(), "10.0.0.0");
  EXPECT_TRUE(ten->Contains(*IpAddress::Parse("10.127.255.255")));
  EXPECT_FALSE(ten->Contains(*IpAddress::Parse("10.128.0.0")));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("255.1.1.1")));
  EXPECT_FALSE(IpPrefix::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("2001:db8::1")));
  EXPECT_TRUE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("2001:db8::1")));
  EXPECT_TRUE(IpPrefix::Parse("192.0.2.7")->Contains(*IpAddress::Parse("192.0.2.7")));
  for (const char* bad : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x", "/8", "10.0.0.0/-1"}) {
    EXPECT_FALSE(IpPrefix::Parse(bad)) << bad;
  }
}

TEST(IpPrefix, PrintsWhatItParses) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "2001:db8::/32", "::/0", "2001:db8::1"}) {
    EXPECT_EQ(IpPrefix::Parse(text)->ToString(), text);
  }
  EXPECT_EQ(IpPrefix::Parse("192.0.2.7/32")->ToString(), "192.0.2.7");
}

}  // namespace
}  // namespace fleetward::model
