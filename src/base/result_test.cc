#include "fleetward/base/result.h"

#include <gtest/gtest.h>

#include <string>

namespace fleetward {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(Code::kInvalidArgument, "odd");
  return n / 2;
}

Result<std::string> Quarter(int n) {
  FW_ASSIGN(int half, Half(n));
  FW_ASSIGN(int quarter, Half(half));
  return std::to_string(quarter);
}

Status Check(int n) {
  FW_TRY(Half(n));
  return {};
}

TEST(Result, ValuesAndErrorsPassThrough) {
  EXPECT_EQ(Quarter(8).value(), "2");
  EXPECT_EQ(Quarter(6).error().message(), "odd");
  EXPECT_TRUE(Check(2).ok());
  EXPECT_FALSE(Check(1).ok());
}

TEST(Error, KeepsTheTwoTextsApart) {
  Error error = Error(Code::kIo, "disk").WithDetail("sda1").WithField("resourceId", "x").Prefixed("saving");
  EXPECT_EQ(error.message(), "saving: disk");
  EXPECT_EQ(error.ToString(), "io: saving: disk (sda1)");
  EXPECT_EQ(error.fields().at("resourceId"), "x");
}

}  // namespace
}  // namespace fleetward
