#include "fleetward/base/id128.h"

#include <gtest/gtest.h>

namespace fleetward {
namespace {

TEST(Id128, TextFormsRoundTrip) {
  auto id = Id128::Parse("0f3c9a55-d1e8-4b7c-8a6b-2e1d4c5f6a70");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->Hex(), "0f3c9a55d1e84b7c8a6b2e1d4c5f6a70");
  EXPECT_EQ(id->Uuid(), "0f3c9a55-d1e8-4b7c-8a6b-2e1d4c5f6a70");
  EXPECT_EQ(Id128::FromBytes(id->Bytes()), id);
  EXPECT_FALSE(Id128::Parse("0f3c9a55xd1e8-4b7c-8a6b-2e1d4c5f6a70"));
  EXPECT_FALSE(Id128::Parse("12"));
}

TEST(Id128, RandomIsVersionFourAndDiffers) {
  Id128 a = Id128::Random();
  EXPECT_NE(a, Id128::Random());
  EXPECT_EQ(a.Uuid()[14], '4');
}

}  // namespace
}  // namespace fleetward
