#include "threshold/prefix_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace fleetward::detect {
namespace {

TEST(PrefixSet, AgreesWithALookAtEachPrefix) {
  const std::vector<std::vector<const char*>> sets = {
      {},
      {"2001:db8::/32"},
      {"0.0.0.0/0"},
      {"0.0.0.0/8", "255.255.255.255/32"},
      {"10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/9", "9.255.255.255/32"},
      {"64.0.0.0/2", "192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32"},
      {"::/0"},
  };
  const char* addresses[] = {"0.0.0.0",      "0.255.255.255", "9.255.255.254", "9.255.255.255",   "10.0.0.0",
                             "10.255.255.255", "11.0.0.0",    "11.127.255.255", "11.128.0.0",     "63.255.255.255",
                             "64.0.0.0",     "100.1.2.3",     "127.255.255.255", "128.0.0.0",     "192.0.1.255",
                             "192.0.2.0",    "192.0.2.255",   "192.0.3.0",     "255.255.255.254", "255.255.255.255",
                             "2001:db8::1",  "2001:db9::1",   "::1"};
  for (const auto& texts : sets) {
    std::vector<model::IpPrefix> prefixes;
    for (const char* text : texts) prefixes.push_back(*model::IpPrefix::Parse(text));
    PrefixSet set(prefixes);
    for (const char* text : addresses) {
      model::IpAddress address = *model::IpAddress::Parse(text);
      bool expected = std::any_of(prefixes.begin(), prefixes.end(),
                                  [&](const model::IpPrefix& prefix) { return prefix.Contains(address); });
      EXPECT_EQ(set.Contains(address), expected) << text << " in " << (texts.empty() ? "nothing" : texts[0]);
    }
  }
}

}  // namespace
}  // namespace fleetward::detect
