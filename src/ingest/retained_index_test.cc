#include "retained_index.h"

#include <gtest/gtest.h>

#include "fleetward/base/log.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::ingest {
namespace {

/// Each write of the index waits until the test says how it ends.
class HeldStore : public store::ControlStore {
 public:
  explicit HeldStore(store::ControlStore& store) : store_(store) {}
  using store::ControlStore::Write;
  Status Write(std::string_view actor, const WriteBody& body) override {
    std::unique_lock lock(mutex_);
    int number = ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return ended_ >= number; });
    if (auto error = errors_.find(number); error != errors_.end()) return Error(error->second, "told so");
    return store_.Write(actor, body);
  }
  Status Read(const ReadBody& body) const override { return store_.Read(body); }

  void WaitForWrite(int number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= number; });
  }
  /// The writes up to this one.
  void End(int number, std::optional<Code> error = {}) {
    std::lock_guard lock(mutex_);
    ended_ = number;
    if (error) errors_.emplace(number, *error);
    changed_.notify_all();
  }

 private:
  store::ControlStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0, ended_ = 0;
  std::map<int, Code> errors_;
};

class RetainedIndexTest : public testing::Test {
 protected:
  RetainedIndexTest() {
    log::SetLevel(log::Level::kError);
    index_ = std::make_unique<RetainedIndex>(held_, counters_);
  }
  ~RetainedIndexTest() override { Finish(); }

  /// The last writes succeed.
  void Finish() {
    held_.End(1000);
    index_.reset();
  }
  void Note(const std::string& topic, std::int64_t time_ms) { index_->Note({topic, time_ms, 1, 0, 0}); }
  /// When the stored message was published; 0: none is stored.
  std::int64_t Stored(const std::string& topic) {
    auto found = RetainedIndex(*store_, counters_).Find(topic).value();
    return found ? found->modified_ms : 0;
  }
  std::uint64_t Lost() { return counters_.AddCounter("fleetward_retained_changes_lost_total", "").value(); }

  ManualClock clock_{FromMillis(1)};
  CounterRegistry counters_;
  std::unique_ptr<store::MemoryDatabase> database_ = store::MemoryDatabase::Create(clock_);
  std::unique_ptr<store::ControlStore> store_ = database_->Account(model::AccountId("123456789012"));
  HeldStore held_{*store_};
  std::unique_ptr<RetainedIndex> index_;
};

TEST_F(RetainedIndexTest, WhatADiskThatIsFullRefusedIsWrittenLaterUnlessItChangedMeanwhile) {
  Note("first", 1);
  held_.WaitForWrite(1);
  Note("a", 2);
  Note("b", 2);
  held_.End(1);
  held_.WaitForWrite(2);  // of both
  Note("a", 3);
  held_.End(2, Code::kUnavailable);
  Finish();
  EXPECT_EQ(Stored("first"), 1);
  EXPECT_EQ(Stored("a"), 3);
  EXPECT_EQ(Stored("b"), 2);
  EXPECT_EQ(Lost(), 0U);
}

TEST_F(RetainedIndexTest, BeyondTheBoundNewTopicsAreLostAndCountedButNotChangesOfThoseThatWait) {
  Note("first", 1);
  held_.WaitForWrite(1);
  for (std::size_t i = 0; i < RetainedIndex::kMaxWaiting; ++i) Note("t" + std::to_string(i), 2);
  Note("t7", 3);
  Note("too many", 3);
  Finish();
  EXPECT_EQ(Stored("t7"), 3);
  EXPECT_EQ(Stored("t8"), 2);
  EXPECT_EQ(Stored("too many"), 0);
  EXPECT_EQ(Lost(), 1U);
}

TEST_F(RetainedIndexTest, WhatCanNeverBeWrittenIsCountedAndKeepsNothingElseBack) {
  Note("a", 1);
  held_.WaitForWrite(1);
  held_.End(1, Code::kInvalidArgument);
  Note("b", 2);
  Finish();
  EXPECT_EQ(Stored("a"), 0);
  EXPECT_EQ(Stored("b"), 2);
  EXPECT_EQ(Lost(), 1U);
}

}  // namespace
}  // namespace fleetward::ingest
