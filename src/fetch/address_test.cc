#include "fleetward/fetch/address.h"

#include <gtest/gtest.h>

namespace fleetward::fetch {
namespace {

AddressClass ClassOfText(const char* text) {
  auto address = ParseAddress(text);
  EXPECT_TRUE(address) << text;
  return address ? ClassOf(*address) : AddressClass::kForbidden;
}

TEST(Address, Classes) {
  struct Case {
    const char* text;
    AddressClass is;
  };
  constexpr auto kPublic = AddressClass::kPublic, kPrivate = AddressClass::kPrivate, kLoop = AddressClass::kLoopback,
                 kNo = AddressClass::kForbidden;
  for (const Case& c : std::initializer_list<Case>{
           {"8.8.8.8", kPublic}, {"172.15.255.255", kPublic}, {"172.32.0.1", kPublic}, {"2606:4700::1111", kPublic},
           {"10.0.0.1", kPrivate}, {"172.16.0.1", kPrivate}, {"172.31.255.255", kPrivate}, {"192.168.1.1", kPrivate},
           {"100.64.0.1", kPrivate}, {"fd00::1", kPrivate}, {"::ffff:10.1.1.1", kPrivate}, {"127.0.0.1", kLoop},
           {"127.255.0.9", kLoop}, {"::1", kLoop}, {"::ffff:127.0.0.1", kLoop}, {"64:ff9b::7f00:1", kLoop},
           {"2002:7f00:1::", kLoop}, {"0.0.0.0", kNo}, {"0.1.2.3", kNo}, {"169.254.169.254", kNo},
           {"::ffff:169.254.169.254", kNo}, {"192.0.0.192", kNo}, {"198.18.0.1", kNo}, {"224.0.0.1", kNo},
           {"240.0.0.1", kNo}, {"255.255.255.255", kNo}, {"::", kNo}, {"fe80::1", kNo}, {"ff02::1", kNo},
           {"::127.0.0.1", kNo}, {"2001:0:7f00:1::", kNo}, {"64:ff9b:1::7f00:1", kNo}, {"fec0::1", kNo}}) {
    EXPECT_EQ(ClassOfText(c.text), c.is) << c.text;
  }
}

TEST(Address, Text) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "::1"}) EXPECT_EQ(ParseAddress(text)->Text(), text);
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "[::1]", "localhost", "0x7f.0.0.1"}) {
    EXPECT_FALSE(ParseAddress(text)) << text;
  }
}

}  // namespace
}  // namespace fleetward::fetch
