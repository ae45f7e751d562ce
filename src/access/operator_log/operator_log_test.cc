#include "fleetward/access/operator_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fleetward::access {
namespace {

namespace fs = std::filesystem;

class OperatorLogTest : public testing::Test {
 protected:
  OperatorLogTest() { fs::remove_all(folder_); }
  ~OperatorLogTest() override { fs::remove_all(folder_); }
  std::unique_ptr<OperatorLog> Open(std::size_t segment_bytes = 1 << 20) {
    return std::move(OperatorLog::Open({.folder = folder_, .segment_bytes = segment_bytes})).value();
  }
  static OperatorAction Action(int n, Timestamp at = FromMillis(1'790'000'000'000)) {
    return {0, at, "AKFW" + std::to_string(n), "admin", "192.0.2.1", "iot:CreateThing", "POST /things/a", 200, "", "r"};
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string folder_ = testing::TempDir() + "operator-log-" + std::to_string(getpid());
};

TEST_F(OperatorLogTest, KeepsOrderOverRestartsAndFiles) {
  for (int start = 0; start < 3; ++start) {
    auto log = Open(1000);
    for (int i = 0; i < 20; ++i) log->Record(Action(start * 20 + i));
  }
  auto log = Open();
  auto all = log->Read(0, {}, 1000).value();
  ASSERT_EQ(all.size(), 60U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].sequence, i + 1);
    EXPECT_EQ(all[i].access_key_id, "AKFW" + std::to_string(i));
  }
  EXPECT_GT(Files().size(), 5U);
  EXPECT_EQ(log->Read(57, {}, 1000)->size(), 3U);
  EXPECT_EQ(log->Read(10, {}, 5)->front().sequence, 11U);
  for (const auto& file : Files()) EXPECT_EQ(static_cast<unsigned>(fs::status(file).permissions()), 0600U);
}

TEST_F(OperatorLogTest, WhatWasRecordedIsInTheFileAtOnce) {
  auto log = Open();
  log->Record(Action(1));
  EXPECT_EQ(log->Read(0, {}, 10)->size(), 1U);
}

TEST_F(OperatorLogTest, ATornLineIsCut) {
  { Open()->Record(Action(1)); }
  std::ofstream(Files().at(0), std::ios::app) << R"({"seq":2,"time":"20)";
  auto log = Open();
  log->Record(Action(2));
  auto all = log->Read(0, {}, 10).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].sequence, 2U);
}

TEST_F(OperatorLogTest, TimesChooseAndExpire) {
  auto log = Open(300);
  for (int i = 0; i < 10; ++i) log->Record(Action(i, FromMillis(1'790'000'000'000 + i * 86'400'000LL)));
  auto late = log->Read(0, FromMillis(1'790'000'000'000 + 7 * 86'400'000LL), 100).value();
  ASSERT_EQ(late.size(), 3U);
  EXPECT_EQ(late[0].access_key_id, "AKFW7");
  ASSERT_TRUE(log->Expire(FromMillis(1'790'000'000'000 + 8 * 86'400'000LL)).ok());
  auto left = log->Read(0, {}, 100).value();
  EXPECT_EQ(left.back().access_key_id, "AKFW9");
  EXPECT_LT(left.size(), 5U);
  log->Record(Action(10));
  EXPECT_EQ(log->Read(0, {}, 100)->back().sequence, 11U);
}

TEST_F(OperatorLogTest, LinesCannotBeForged) {  // threats.md w
  auto log = Open();
  OperatorAction action = Action(1);
  action.target = "POST /things/a\n{\"seq\":9}\r\"\xff";
  action.remote_address = std::string(100000, 'x');
  log->Record(action);
  auto all = log->Read(0, {}, 100).value();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].target, "POST /things/a\n{\"seq\":9}\r\"\xef\xbf\xbd");
  EXPECT_LT(all[0].remote_address.size(), 600U);
  for (const char* bad : {"", "{}", "[]", R"({"seq":"1"})", R"({"seq":1,"time":"yesterday"})"}) {
    EXPECT_FALSE(ParseOperatorActionLine(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace fleetward::access
