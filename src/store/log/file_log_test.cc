// The file log under crashes, bad disks and full disks.
#include "file_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "crc32c.h"
#include "segment.h"

namespace fleetward::store {
namespace {

namespace fs = std::filesystem;

class FaultyOps : public FileOps {
 public:
  int WriteAt(int fd, const char* data, std::size_t size, std::uint64_t offset) override {
    return write_error ? write_error : FileOps::WriteAt(fd, data, size, offset);
  }
  int SyncData(int fd) override { return sync_error ? sync_error : FileOps::SyncData(fd); }
  int Sync(int fd) override { return sync_error ? sync_error : FileOps::Sync(fd); }
  int Reserve(int fd, std::uint64_t size) override {
    return size > largest ? ENOSPC : FileOps::Reserve(fd, size);
  }
  int Space(const std::string&, std::uint64_t& available, std::uint64_t& total) override {
    available = free;
    total = 256 << 20;
    return 0;
  }
  int write_error = 0, sync_error = 0;
  std::uint64_t largest = UINT64_MAX;
  std::uint64_t free = 200 << 20;
};

class FileLogTest : public testing::Test {
 protected:
  FileLogTest() {
    char name[] = "/tmp/fleetward-log-XXXXXX";
    options_.folder = mkdtemp(name);
    options_.segment_bytes = 64 << 10;
  }
  ~FileLogTest() override { fs::remove_all(options_.folder); }

  LogRecovery Open() {
    log_.reset();
    auto opened = FileLog::Open(options_, ops_);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().ToString());
    log_ = std::move(opened.value().log);
    return opened.value().recovery;
  }
  void Write(int count, const std::string& what = "record") {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(log_->Append(what + std::to_string(log_->next_position())).ok());
      ASSERT_TRUE(log_->Sync().ok());
    }
  }
  std::vector<LogPosition> Positions(std::vector<LogDamage>* damage = nullptr) {
    std::vector<LogPosition> all;
    auto reader = std::move(log_->ReadFrom(log_->first_position())).value();
    for (int guard = 0; guard < 100000; ++guard) {
      auto record = reader->Next();
      if (!record.ok()) {
        EXPECT_EQ(record.error().code(), Code::kCorrupt);
        if (damage) damage->push_back(reader->damage());
        continue;
      }
      if (!record.value()) return all;
      EXPECT_EQ(record.value()->payload, "record" + std::to_string(record.value()->position));
      all.push_back(record.value()->position);
    }
    return all;
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(options_.folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }
  static std::vector<LogPosition> Range(LogPosition first, LogPosition last) {
    std::vector<LogPosition> all;
    for (LogPosition p = first; p <= last; ++p) all.push_back(p);
    return all;
  }

  FileLogOptions options_;
  FaultyOps ops_;
  std::unique_ptr<EventLog> log_;
};

TEST_F(FileLogTest, ReopensWhereItWas) {
  Open();
  Write(10);
  for (int round = 0; round < 3; ++round) {
    LogRecovery recovery = Open();
    EXPECT_EQ(recovery.truncated_bytes, 0u);
    EXPECT_TRUE(recovery.damage.empty());
    Write(10);
  }
  EXPECT_EQ(Positions(), Range(1, 40));
}

TEST_F(FileLogTest, PositionsGoOnAboveWhatWasDerived) {
  options_.min_next_position = 1000;
  Open();
  EXPECT_EQ(log_->Append("record1000").value(), 1000u);
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_EQ(Positions(), Range(1000, 1000));
}

TEST_F(FileLogTest, ATailCutAnywhereLosesOnlyWhatWasCut) {
  Open();
  Write(5);
  fs::path file = Files().at(0);
  log_.reset();
  std::string bytes = ReadFile(file.string(), 1 << 20).value();
  std::size_t used = bytes.find_last_not_of('\0') + 1;
  for (std::size_t cut = 0; cut <= used; ++cut) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes.substr(0, cut);
    LogRecovery recovery = Open();
    EXPECT_TRUE(recovery.damage.empty()) << cut;
    std::vector<LogPosition> found = Positions();
    EXPECT_EQ(found, Range(1, found.size())) << cut;
    std::size_t complete = 0;
    for (std::size_t at = kSegmentHeaderBytes;;) {
      auto record = ParseRecordAt(bytes, at);
      if (!record) break;
      at = record->end;
      complete += at <= cut;
    }
    EXPECT_EQ(found.size(), complete) << cut;
    // And it goes on.
    EXPECT_EQ(log_->Append("record" + std::to_string(complete + 1)).value(), complete + 1);
    ASSERT_TRUE(log_->Sync().ok());
    EXPECT_EQ(Positions(), Range(1, complete + 1));
    log_.reset();
    for (const fs::path& f : Files()) fs::remove(f);
  }
}

/// Three records before, then three that were appended together and two more in the same sync.
TEST_F(FileLogTest, WhatWasAppendedTogetherIsThereWholeOrNotAtAll) {
  Open();
  Write(3);
  std::string_view three[] = {"record4", "record5", "record6"}, two[] = {"record7", "record8"};
  ASSERT_TRUE(log_->Append(three).ok());
  ASSERT_TRUE(log_->Append(two).ok());
  ASSERT_TRUE(log_->Sync().ok());
  fs::path file = Files().at(0);
  log_.reset();
  const std::string bytes = ReadFile(file.string(), 1 << 20).value();
  std::vector<std::size_t> ends = {kSegmentHeaderBytes};
  while (auto record = ParseRecordAt(bytes, ends.back())) ends.push_back(record->end);
  ASSERT_EQ(ends.size(), 9u);
  for (std::size_t cut = ends[3]; cut <= ends[8]; ++cut) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes.substr(0, cut);
    LogRecovery recovery = Open();
    LogPosition last = cut < ends[6] ? 3 : cut < ends[8] ? 6 : 8;
    EXPECT_EQ(Positions(), Range(1, last)) << cut;
    EXPECT_EQ(log_->next_position(), last + 1) << cut;
    EXPECT_EQ(recovery.truncated_bytes > 0, cut != ends[last]) << cut;
    EXPECT_TRUE(recovery.damage.empty()) << cut;
    Write(2);
    EXPECT_EQ(Positions(), Range(1, last + 2)) << cut;
    log_.reset();
    for (const fs::path& f : Files()) fs::remove(f);
  }
}

TEST_F(FileLogTest, DamageBeforeATornTailIsStillReported) {
  std::string bytes;
  AppendSegmentHeader(1, bytes);
  AppendRecord(1, 0, false, "record1", bytes);
  AppendRecord(2, 1, false, "record2", bytes);
  std::size_t third = bytes.size();
  AppendRecord(3, 2, true, "record3", bytes);
  bytes[third] = static_cast<char>(bytes[third] ^ 1);
  AppendRecord(4, 0, false, "record4", bytes);  // and the fifth was not written any more
  SegmentScan scan = ScanSegment(bytes, 1, true);
  EXPECT_EQ(scan.next, 4u);
  EXPECT_EQ(scan.end, third);
  ASSERT_EQ(scan.damage.size(), 1u);
  EXPECT_EQ(scan.damage[0].first, 3u);
  EXPECT_EQ(scan.damage[0].last, 3u);
  AppendRecord(5, 1, true, "record5", bytes);
  EXPECT_EQ(ScanSegment(bytes, 1, true).next, 6u);
}

TEST_F(FileLogTest, SegmentsOfVersion1AreReadToTheirLastRecord) {
  std::string bytes;
  AppendSegmentHeader(1, bytes);
  for (LogPosition p = 1; p <= 3; ++p) {
    AppendRecord(p, static_cast<std::uint32_t>(p - 1), false, "record" + std::to_string(p), bytes);
  }
  bytes[4] = 1;
  std::uint32_t crc = Crc32c(std::string_view(bytes).substr(0, 16));
  std::memcpy(bytes.data() + 16, &crc, 4);
  fs::create_directories(options_.folder);
  std::ofstream(options_.folder + "/00000000000000000001.seg", std::ios::binary) << bytes;
  EXPECT_EQ(Open().truncated_bytes, 0u);
  Write(2);
  EXPECT_EQ(Positions(), Range(1, 5));
}

TEST_F(FileLogTest, AFlippedByteIsReportedUnlessItWasNeverSynced) {
  Open();
  Write(6);
  fs::path file = Files().at(0);
  log_.reset();
  const std::string bytes = ReadFile(file.string(), 1 << 20).value();
  std::size_t used = bytes.find_last_not_of('\0') + 1;
  for (std::size_t at = kSegmentHeaderBytes; at < used; ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << flipped;
    LogRecovery recovery = Open();
    std::vector<LogDamage> damage;
    std::vector<LogPosition> found = Positions(&damage);
    EXPECT_EQ(found.size(), 5u) << at;
    bool last = found == Range(1, 5);  // cannot be told from a torn tail
    EXPECT_EQ(recovery.damage.size(), last ? 0u : 1u) << at;
    EXPECT_EQ(damage.size(), last ? 0u : 1u) << at;
    if (!last) {
      EXPECT_EQ(damage[0].first, damage[0].last);
      EXPECT_EQ(damage[0].first, recovery.damage[0].first);
    }
    EXPECT_EQ(log_->next_position(), last ? 6u : 7u);
    log_.reset();
    for (const fs::path& f : Files()) fs::remove(f);
  }
}

TEST_F(FileLogTest, AHoleInOneUnsyncedBatchIsATornTail) {
  Open();
  Write(2);
  for (int i = 3; i <= 8; ++i) ASSERT_TRUE(log_->Append("record" + std::to_string(i)).ok());
  ASSERT_TRUE(log_->Sync().ok());  // plays the write that the crash cut: nobody was told
  fs::path file = Files().at(0);
  log_.reset();
  std::string bytes = ReadFile(file.string(), 1 << 20).value();
  std::size_t at = kSegmentHeaderBytes;
  for (int i = 0; i < 4; ++i) at = ParseRecordAt(bytes, at)->end;
  bytes[at + 3] = static_cast<char>(bytes[at + 3] ^ 1);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  LogRecovery recovery = Open();
  EXPECT_TRUE(recovery.damage.empty());
  EXPECT_GT(recovery.truncated_bytes, 0u);
  EXPECT_EQ(Positions(), Range(1, 4));
  EXPECT_EQ(log_->next_position(), 5u);
}

TEST_F(FileLogTest, DamageInAnOldSegmentIsReportedWhenRead) {
  Open();
  Write(200, std::string("record"));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(log_->Append(std::string(900, 'z')).ok());
  log_->DropPending();
  // Small segments: force several by reopening.
  Open();
  Write(20);
  std::vector<fs::path> files = Files();
  ASSERT_GE(files.size(), 2u);
  std::string bytes = ReadFile(files[0].string(), 1 << 20).value();
  for (int i = 0; i < 60; ++i) bytes[2000 + static_cast<std::size_t>(i)] = 'X';
  std::ofstream(files[0], std::ios::binary | std::ios::trunc) << bytes;
  Open();
  std::vector<LogDamage> damage;
  std::vector<LogPosition> found = Positions(&damage);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(found.size() + (damage[0].last - damage[0].first + 1), 220u);
  // A missing tail of an old segment is damage too.
  fs::resize_file(files[0], bytes.size() / 2);
  Open();
  damage.clear();
  found = Positions(&damage);
  ASSERT_FALSE(damage.empty());
  EXPECT_EQ(damage.back().last, 200u);
  EXPECT_EQ(found.back(), 220u);
}

TEST_F(FileLogTest, AFailedSyncIsWrittenAgainIntoANewSegment) {
  Open();
  Write(3);
  ops_.sync_error = EIO;
  ASSERT_TRUE(log_->Append("record4").ok());
  EXPECT_EQ(log_->Sync().error().code(), Code::kIo);
  EXPECT_EQ(log_->durable_position(), 3u);
  EXPECT_EQ(Positions(), Range(1, 3));
  ASSERT_TRUE(log_->Append("record5").ok());
  EXPECT_FALSE(log_->Sync().ok());  // the new segment's sync fails as well
  ops_.sync_error = 0;
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_EQ(log_->durable_position(), 5u);
  EXPECT_EQ(Files().size(), 2u);
  EXPECT_EQ(Positions(), Range(1, 5));
  Write(3);
  // What the failed attempt left in the first segment must not count twice, whatever it is.
  LogRecovery recovery = Open();
  EXPECT_TRUE(recovery.damage.empty());
  EXPECT_EQ(Positions(), Range(1, 8));
}

TEST_F(FileLogTest, AFullDiskRefusesAndResumes) {
  Open();
  Write(3);
  ops_.free = 10 << 20;  // below the reserve of 256 MiB / 16
  int accepted = 0;
  Status synced;
  for (; accepted < 1000; ++accepted) {
    ASSERT_TRUE(log_->Append("record" + std::to_string(log_->next_position())).ok());
    synced = log_->Sync();
    if (!synced.ok()) break;
  }
  // What the segment had reserved could still be used up; then nothing more.
  if (accepted == 1000) {
    std::string big(60 << 10, 'b');
    ASSERT_TRUE(log_->Append(big).ok());
    synced = log_->Sync();
    log_->DropPending();
  }
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code(), Code::kUnavailable);
  LogPosition durable = log_->durable_position();
  EXPECT_EQ(Positions().back(), durable);
  ops_.free = 200 << 20;
  ASSERT_TRUE(log_->Sync().ok());
  Write(5);
  LogPosition end = log_->durable_position();
  Open();
  EXPECT_EQ(Positions(), Range(1, end));
}

TEST_F(FileLogTest, OpensAndReadsOnAFullDisk) {
  Open();
  Write(3);
  ops_.free = 0;
  ops_.largest = 0;
  Open();
  EXPECT_EQ(Positions(), Range(1, 3));
  ASSERT_TRUE(log_->Append("record4").ok());
  EXPECT_EQ(log_->Sync().error().code(), Code::kUnavailable);
  log_->DropPending();
  EXPECT_EQ(log_->next_position(), 4u);
  ops_.free = 100 << 20;
  ops_.largest = UINT64_MAX;
  Write(1);
  EXPECT_EQ(Positions(), Range(1, 4));
}

TEST_F(FileLogTest, SegmentsShrinkWhenThereIsNoRoomForLargeOnes) {
  options_.segment_bytes = 8 << 20;
  ops_.largest = 100 << 10;
  Open();
  Write(1);
  EXPECT_LE(log_->disk_bytes(), 100u << 10);
  std::string big(200 << 10, 'b');
  ASSERT_TRUE(log_->Append(big).ok());
  EXPECT_EQ(log_->Sync().error().code(), Code::kUnavailable);
}

TEST_F(FileLogTest, PendingIsBounded) {
  options_.max_pending_bytes = 10000;
  Open();
  ops_.sync_error = ENOSPC;
  int taken = 0;
  while (taken < 100 && log_->Append(std::string(1000, 'x')).ok()) {
    ++taken;
    EXPECT_FALSE(log_->Sync().ok());
  }
  EXPECT_GE(taken, 9);
  EXPECT_LE(taken, 10);
  EXPECT_EQ(log_->Append(std::string(1000, 'x')).error().code(), Code::kUnavailable);
  ops_.sync_error = 0;
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_TRUE(log_->Append("x").ok());
}

TEST_F(FileLogTest, TrimGivesSpaceBack) {
  Open();
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(log_->Append(std::string(1000, 'x')).ok());
    ASSERT_TRUE(log_->Sync().ok());
  }
  std::uint64_t before = log_->disk_bytes();
  EXPECT_EQ(log_->TrimmableBytes(1), 0u);
  std::uint64_t trimmable = log_->TrimmableBytes(350);
  ASSERT_TRUE(log_->TrimBefore(350).ok());
  EXPECT_EQ(log_->disk_bytes(), before - trimmable);
  EXPECT_EQ(log_->TrimmableBytes(350), 0u);
  EXPECT_LT(log_->disk_bytes(), before / 2);
  LogPosition first = log_->first_position();
  Open();
  EXPECT_EQ(log_->first_position(), first);
  EXPECT_EQ(log_->next_position(), 401u);
  // An emptied log still knows its position.
  ASSERT_TRUE(log_->TrimBefore(401).ok());
  Open();
  EXPECT_EQ(log_->next_position(), 401u);
}

TEST_F(FileLogTest, AForeignFileIsLeftAlone) {
  std::ofstream(options_.folder + "/notes.txt") << "mine";
  Open();
  Write(1);
  Open();
  EXPECT_TRUE(fs::exists(options_.folder + "/notes.txt"));
}

}  // namespace
}  // namespace fleetward::store
