#include "fleetward/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace fleetward {
namespace {

TEST(File, AtomicWriteReplacesAndSetsTheMode) {
  char folder[] = "/tmp/fw-file-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::string path = std::string(folder) + "/a/b/secret";
  ASSERT_TRUE(MakeDirs(std::string(folder) + "/a/b").ok());
  ASSERT_TRUE(WriteFileAtomic(path, "one", 0644).ok());
  ASSERT_TRUE(WriteFileAtomic(path, "two", 0600).ok());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(ReadFile(path).value(), "two");
  // What a process killed in the middle of it left does not stay, nor lend its mode.
  ASSERT_TRUE(WriteFileAtomic(path + ".tmp", "half", 0644).ok());
  ASSERT_TRUE(WriteFileAtomic(path, "two", 0600).ok());
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_NE(stat((path + ".tmp").c_str(), &info), 0);
  EXPECT_EQ(ReadFile(path, 2).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ReadFile(path + "x").error().code(), Code::kNotFound);
  EXPECT_FALSE(MakeDirs(path + "/below-a-file").ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fleetward
