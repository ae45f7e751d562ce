// One suite for every EventLog.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "fleetward/store/event_log.h"

namespace fleetward::store {
namespace {

class TempFolder {
 public:
  TempFolder() {
    char name[] = "/tmp/fleetward-log-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class LogSuite : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      FileLogOptions options;
      options.folder = folder_.path();
      options.segment_bytes = 64 << 10;
      log_ = std::move(OpenFileLog(options).value().log);
    } else {
      log_ = MakeMemoryLog();
    }
  }
  std::vector<std::string> ReadAll(LogPosition from) {
    std::vector<std::string> all;
    auto reader = std::move(log_->ReadFrom(from)).value();
    for (;;) {
      auto record = reader->Next();
      EXPECT_TRUE(record.ok());
      if (!record.ok() || !record.value()) return all;
      EXPECT_EQ(record.value()->position, from + all.size());
      all.emplace_back(record.value()->payload);
    }
  }
  TempFolder folder_;
  std::unique_ptr<EventLog> log_;
};

TEST_P(LogSuite, PositionsAreDenseAndReadersSeeOnlyWhatIsDurable) {
  EXPECT_EQ(log_->first_position(), 1u);
  EXPECT_EQ(log_->next_position(), 1u);
  EXPECT_EQ(log_->Append("a").value(), 1u);
  std::string_view more[] = {"b", "", "c"};
  EXPECT_EQ(log_->Append(more).value(), 2u);
  EXPECT_EQ(log_->durable_position(), 0u);
  EXPECT_TRUE(ReadAll(1).empty());
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_EQ(log_->durable_position(), 4u);
  EXPECT_EQ(ReadAll(1), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(ReadAll(3), (std::vector<std::string>{"", "c"}));
  EXPECT_TRUE(ReadAll(5).empty());
  EXPECT_EQ(log_->ReadFrom(6).error().code(), Code::kNotFound);
}

TEST_P(LogSuite, AReaderFollows) {
  auto reader = std::move(log_->ReadFrom(1)).value();
  EXPECT_FALSE(reader->Next().value());
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(log_->Append(std::string(1000, static_cast<char>('a' + i % 26))).ok());
    ASSERT_TRUE(log_->Sync().ok());
    auto record = reader->Next();
    ASSERT_TRUE(record.ok() && record.value());
    EXPECT_EQ(record.value()->position, static_cast<LogPosition>(i + 1));
    EXPECT_EQ(record.value()->payload[0], 'a' + i % 26);
    EXPECT_FALSE(reader->Next().value());
  }
}

TEST_P(LogSuite, DroppedRecordsGiveTheirPositionsBack) {
  ASSERT_TRUE(log_->Append("kept").ok());
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->Append("dropped").ok());
  log_->DropPending();
  EXPECT_EQ(log_->Append("second").value(), 2u);
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_EQ(ReadAll(1), (std::vector<std::string>{"kept", "second"}));
}

TEST_P(LogSuite, TrimKeepsWhatIsAskedFor) {
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(log_->Append(std::string(1000, 'x')).ok());
    ASSERT_TRUE(log_->Sync().ok());
  }
  ASSERT_TRUE(log_->TrimBefore(400).ok());
  EXPECT_GT(log_->first_position(), 300u);
  EXPECT_LE(log_->first_position(), 400u);
  EXPECT_EQ(ReadAll(400).size(), 101u);
  EXPECT_EQ(log_->ReadFrom(1).error().code(), Code::kNotFound);
  ASSERT_TRUE(log_->TrimBefore(501).ok());
  EXPECT_EQ(log_->next_position(), 501u);
}

TEST_P(LogSuite, TooLargeARecordIsRefused) {
  EXPECT_EQ(log_->Append(std::string(log_->max_record_bytes() + 1, 'x')).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->next_position(), 1u);
}

TEST_P(LogSuite, ReadersAndTrimBesideTheAppender) {
  std::atomic<bool> stop = false;
  std::thread reader_thread([&] {
    auto reader = std::move(log_->ReadFrom(1)).value();
    LogPosition last = 0;
    while (!stop || last < log_->durable_position()) {
      auto record = reader->Next();
      ASSERT_TRUE(record.ok()) << record.error().ToString();
      if (!record.value()) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(record.value()->position, ++last);
      if (last % 50 == 0) {
        ASSERT_TRUE(log_->TrimBefore(last).ok());
      }
    }
  });
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(log_->Append(std::string(500, 'x')).ok());
    if (i % 3 == 0) {
      ASSERT_TRUE(log_->Sync().ok());
    }
  }
  ASSERT_TRUE(log_->Sync().ok());
  stop = true;
  reader_thread.join();
}

INSTANTIATE_TEST_SUITE_P(Adapters, LogSuite, testing::Bool(),
                         [](const auto& info) { return info.param ? "file" : "memory"; });

}  // namespace
}  // namespace fleetward::store
