#include "delta_journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "fleetward/policy/snapshot_builder.h"
#include "fleetward/policy/snapshot_journal.h"

namespace fleetward::registry {
namespace {

class DeltaJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fleetward-journal-XXXXXX";
    folder_ = mkdtemp(name);
    ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit_), 0);
    ASSERT_TRUE(journal_.Open(path()).ok());
  }
  void TearDown() override {
    AllowFiles(limit_.rlim_cur);
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/policy.snapshot"; }
  void AllowFiles(rlim_t bytes) {
    rlimit limit{bytes, limit_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void AllowAll() { AllowFiles(limit_.rlim_cur); }
  bool Append(std::uint64_t version) {
    return journal_.Append(policy::EncodeDelta({version - 1, version, {policy::RemoveThing{"a"}}})).ok();
  }
  /// What a broker comes to that starts alone with a snapshot of `version`.
  std::uint64_t Alone(std::uint64_t version) {
    policy::SnapshotBuilder builder(policy::SnapshotInfo{version, "r", "1"});
    auto bytes = std::make_shared<std::string>(builder.Build(1).value());
    policy::SnapshotState state;
    EXPECT_TRUE(state.Load(*bytes, bytes).ok());
    for (int index : {0, 1, 0}) policy::ApplyJournal(*ReadFile(policy::JournalPath(path(), index)), state);
    return state.version();
  }

  std::string folder_;
  rlimit limit_{};
  DeltaJournal journal_;
};

TEST_F(DeltaJournalTest, WhatFoundNoRoomIsWrittenWithTheNext) {
  ASSERT_TRUE(Append(6));
  AllowFiles(journal_.bytes() + 10);  // half a record
  EXPECT_FALSE(Append(7));
  EXPECT_EQ(Alone(5), 6u);
  AllowAll();
  EXPECT_TRUE(Append(8));
  EXPECT_EQ(Alone(5), 8u);
}

TEST_F(DeltaJournalTest, ASnapshotThatFailedLeavesBothFiles) {
  ASSERT_TRUE(Append(6));
  journal_.BeginSnapshot();  // and it is not written
  AllowFiles(10);
  EXPECT_FALSE(Append(7));
  AllowAll();
  journal_.BeginSnapshot();  // of version 7
  ASSERT_TRUE(journal_.EndSnapshot().ok());
  EXPECT_TRUE(Append(8));
  EXPECT_EQ(Alone(7), 8u);
  journal_.BeginSnapshot();
  EXPECT_TRUE(Append(9));
  ASSERT_TRUE(journal_.EndSnapshot().ok());
  EXPECT_EQ(Alone(8), 9u);
}

TEST_F(DeltaJournalTest, WhatIsGivenUpIsSaidUntilASnapshotHasIt) {
  AllowFiles(10);
  std::uint64_t version = 5;
  std::string name(1 << 20, 'n');
  for (int i = 0; i < 20; ++i) {
    ++version;
    EXPECT_FALSE(journal_.Append(policy::EncodeDelta({version - 1, version, {policy::RemoveThing{name}}})).ok());
  }
  AllowAll();
  EXPECT_FALSE(Append(++version)) << "there would be a gap";
  journal_.BeginSnapshot();
  EXPECT_FALSE(Append(++version));  // not in that snapshot
  ASSERT_TRUE(journal_.EndSnapshot().ok());
  EXPECT_FALSE(Append(++version));
  journal_.BeginSnapshot();
  ASSERT_TRUE(journal_.EndSnapshot().ok());
  EXPECT_TRUE(Append(version + 1));
  EXPECT_EQ(Alone(version), version + 1);
}

}  // namespace
}  // namespace fleetward::registry
