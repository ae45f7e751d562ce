#include "crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace fleetward::store {
namespace {

TEST(Crc32c, PublishedVectors) {  // RFC 3720, appendix B.4
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
}

TEST(Crc32c, TableAndInstructionAgreeAndExtend) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(Crc32c(bytes), Crc32cTable(bytes));
    std::size_t half = bytes.size() / 2;
    EXPECT_EQ(Crc32c(bytes.substr(half), Crc32c(bytes.substr(0, half))), Crc32c(bytes));
    bytes.push_back(static_cast<char>(i * 7));
  }
}

}  // namespace
}  // namespace fleetward::store
