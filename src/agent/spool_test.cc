#include "spool.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace fleetward::agent {
namespace {

namespace fs = std::filesystem;

class SpoolTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-spool-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    folder_ = root_ + "/state/spool";
  }
  void TearDown() override { fs::remove_all(root_); }
  Spool Open(std::uint64_t max_bytes = 1 << 20) {
    auto spool = Spool::Open(folder_, max_bytes);
    EXPECT_TRUE(spool.ok()) << spool.error().ToString();
    return std::move(*spool);
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    for (auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".report") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string root_, folder_;
};

SpooledReport Report(std::uint64_t id, std::string payload = "{}") {
  return {id, report::Format::kJson, std::move(payload)};
}

TEST_F(SpoolTest, KeepsOrderAcrossRestarts) {
  {
    Spool spool = Open();
    for (std::uint64_t id : {30, 10, 20}) ASSERT_TRUE(spool.Add(Report(id, "r" + std::to_string(id))).ok());
  }
  Spool spool = Open();
  EXPECT_EQ(spool.size(), 3u);
  EXPECT_EQ(spool.last_report_id(), 30u);
  for (std::uint64_t id : {30, 10, 20}) {
    auto oldest = spool.Oldest();
    ASSERT_TRUE(oldest);
    EXPECT_EQ(oldest->report_id, id);
    EXPECT_EQ(oldest->payload, "r" + std::to_string(id));
    spool.Remove(id);
  }
  EXPECT_FALSE(spool.Oldest());
  EXPECT_EQ(spool.bytes(), 0u);
  EXPECT_TRUE(Files().empty());
}

TEST_F(SpoolTest, OldestMakesRoom) {
  Spool spool = Open(1000);
  for (std::uint64_t id = 1; id <= 20; ++id) ASSERT_TRUE(spool.Add(Report(id, std::string(150, 'x'))).ok());
  EXPECT_LE(spool.bytes(), 1000u);
  EXPECT_EQ(spool.size() + spool.dropped(), 20u);
  EXPECT_EQ(spool.Oldest()->report_id, 21 - spool.size());
  EXPECT_EQ(Files().size(), spool.size());
  EXPECT_EQ(spool.Add(Report(99, std::string(2000, 'x'))).error().code(), Code::kInvalidArgument);
}

TEST_F(SpoolTest, DamageOfEveryKindIsPassedOver) {
  {
    Spool spool = Open();
    for (std::uint64_t id = 1; id <= 6; ++id) ASSERT_TRUE(spool.Add(Report(id, "payload")).ok());
  }
  auto files = Files();
  fs::resize_file(files[0], 0);                                         // a crash of the file system
  fs::resize_file(files[1], fs::file_size(files[1]) - 1);               // cut off
  { std::fstream(files[2], std::ios::in | std::ios::out) << "XXXX"; }   // another format
  { std::ofstream(files[3], std::ios::app) << "more"; }                 // grown
  fs::rename(files[4], folder_ + "/00000000000000000005-77.report");    // another id than inside
  { std::ofstream(folder_ + "/00000000000000000009-9.report.tmp.123") << "half"; }
  { std::ofstream(folder_ + "/nonsense") << "?"; }
  fs::create_symlink("/etc/passwd", folder_ + "/00000000000000000007-7.report");
  Spool spool = Open();
  auto oldest = spool.Oldest();
  ASSERT_TRUE(oldest);
  EXPECT_EQ(oldest->report_id, 6u);
  EXPECT_EQ(spool.size(), 1u);
  EXPECT_EQ(spool.corrupt(), 8u);
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_TRUE(fs::exists("/etc/passwd"));
}

TEST_F(SpoolTest, EveryTruncationAndBitFlipIsNoticed) {
  std::string good = EncodeSpoolFile(Report(7, "some payload"));
  ASSERT_TRUE(DecodeSpoolFile(good).ok());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(DecodeSpoolFile(good.substr(0, size)).ok());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeSpoolFile(bad).ok()) << bit;
  }
}

TEST_F(SpoolTest, OneAgentAtATime) {
  Spool first = Open();
  EXPECT_EQ(Spool::Open(folder_, 1000).error().code(), Code::kConflict);
}

TEST_F(SpoolTest, FolderThatOthersCanChangeIsRefused) {
  fs::create_directories(folder_);
  chmod(folder_.c_str(), 0777);
  EXPECT_EQ(Spool::Open(folder_, 1000).error().code(), Code::kPermissionDenied);
}

}  // namespace
}  // namespace fleetward::agent
