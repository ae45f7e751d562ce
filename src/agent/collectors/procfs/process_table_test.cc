#include "collectors/procfs/process_table.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace fleetward::agent {
namespace {

class ProcessTableTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-proc-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    std::filesystem::create_directory(root_ + "/net");
    std::ofstream(root_ + "/stat") << "cpu 1\n";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Add(int pid, const std::string& comm, int parent, char state = 'S', std::string cmdline = {}) {
    std::string folder = root_ + "/" + std::to_string(pid);
    std::filesystem::create_directory(folder);
    std::ofstream(folder + "/stat") << pid << " (" << comm << ") " << state << " " << parent << " 1 1 0 -1 4194560\n";
    std::ofstream(folder + "/cmdline", std::ios::binary) << cmdline;
  }
  std::int64_t Count(const std::string& name) {
    ProcessTable table(root_);
    auto count = CountDescendants(table, name);
    EXPECT_TRUE(count.ok());
    return count.ok() ? *count : -1;
  }
  std::string root_;
};

TEST_F(ProcessTableTest, CountsDescendantsOfEveryProcessOfTheName) {
  Add(1, "init", 0);
  Add(10, "myapp", 1);
  Add(11, "cat", 10);
  Add(12, "sh", 10);
  Add(13, "sleep", 12);
  Add(20, "myapp", 1);
  Add(21, "cat", 20);
  Add(30, "cat", 1);
  EXPECT_EQ(Count("myapp"), 4);
  EXPECT_EQ(Count("sh"), 1);
  EXPECT_EQ(Count("init"), 7);
  EXPECT_EQ(Count("absent"), 0);
}

TEST_F(ProcessTableTest, ChildOfTheSameNameIsAChild) {
  Add(1, "init", 0);
  Add(10, "myapp", 1);
  Add(11, "myapp", 10);
  EXPECT_EQ(Count("myapp"), 1);
}

TEST_F(ProcessTableTest, ZombiesDoNotCount) {
  Add(10, "myapp", 1);
  Add(11, "cat", 10, 'Z');
  EXPECT_EQ(Count("myapp"), 0);
}

TEST_F(ProcessTableTest, LongNamesAndArgumentZeroAreFound) {
  using namespace std::string_literals;
  Add(10, "my-very-long-na", 1, 'S', "/opt/bin/my-very-long-name\0--flag\0"s);
  Add(11, "cat", 10);
  Add(20, "python3", 1, 'S', "renamed-daemon\0"s);
  Add(21, "cat", 20);
  Add(30, "sh", 1, 'S', "-loginshell\0"s);
  Add(31, "cat", 30);
  EXPECT_EQ(Count("my-very-long-name"), 1);
  EXPECT_EQ(Count("my-very-long-na"), 1);
  EXPECT_EQ(Count("renamed-daemon"), 1);
  EXPECT_EQ(Count("loginshell"), 1);
}

TEST_F(ProcessTableTest, LoopsAndNonsenseEnd) {
  Add(10, "a", 11);
  Add(11, "b", 10);
  Add(12, "myapp", 12);
  std::filesystem::create_directory(root_ + "/99");  // gone before its stat was read
  std::filesystem::create_directory(root_ + "/98");
  std::ofstream(root_ + "/98/stat") << "98 (x";
  EXPECT_EQ(Count("myapp"), 1);
  EXPECT_EQ(Count("a"), 2);
}

TEST(ParseStat, NamesMayHoldAnything) {
  Process process;
  ASSERT_TRUE(ParseStat("42 (a) S 1 (b) R 7 1", process));
  EXPECT_EQ(process.pid, 42);
  EXPECT_EQ(process.name, "a) S 1 (b");
  EXPECT_EQ(process.parent, 7);
  for (const char* bad : {"", "42", "42 (", "42 (x)", "42 (x) S", "42 (x) S x 1", "(x) S 1 1", "x (y) S 1 1", ")("}) {
    EXPECT_FALSE(ParseStat(bad, process)) << bad;
  }
}

}  // namespace
}  // namespace fleetward::agent
