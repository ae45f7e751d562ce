#include "fleetward/model/arns.h"

#include <gtest/gtest.h>

namespace fleetward::model {
namespace {

TEST(Arns, NamesAndParts) {
  Arns arns("eu-west-1", AccountId("123456789012"));
  EXPECT_EQ(arns.ThingGroup("g"), "arn:aws:iot:eu-west-1:123456789012:thinggroup/g");
  EXPECT_EQ(arns.Topic("t"), "arn:aws:sns:eu-west-1:123456789012:t");
  EXPECT_EQ(arns.IdOf(arns.ThingGroup("g"), "thinggroup"), "g");
  EXPECT_EQ(arns.IdOf(arns.Thing("a:b/c"), "thing"), "a:b/c");
  EXPECT_EQ(arns.Parse(arns.Policy("p"))->type, "policy");
}

TEST(Arns, OtherTextsAreNobodys) {
  Arns arns("eu-west-1", AccountId("123456789012"));
  EXPECT_FALSE(arns.IdOf(arns.Thing("g"), "thinggroup"));
  for (const char* text : {"", "g", "arn:aws:iot", "arn:aws:iot:eu-west-1:000000000000:thinggroup/g",
                           "arn:aws:iot:us-east-1:123456789012:thinggroup/g", "arn:aws:iot:eu-west-1:123456789012:",
                           "arn:aws:iot:eu-west-1:123456789012:thinggroup/", "arn:aws:iot:eu-west-1:123456789012:/g",
                           "arn:aws:sns:eu-west-1:123456789012:thinggroup/g"}) {
    EXPECT_FALSE(arns.Parse(text)) << text;
  }
}

}  // namespace
}  // namespace fleetward::model
