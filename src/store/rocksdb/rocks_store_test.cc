#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "conformance/block_store_suite.h"

namespace fleetward::store {
namespace {

namespace fs = std::filesystem;

std::string NewFolder() {
  char name[] = "/tmp/fleetward-rocks-XXXXXX";
  return mkdtemp(name);
}

RocksOptions OptionsAt(const std::string& folder) {
  RocksOptions options;
  options.folder = folder;
  options.families = SuiteFamilies();
  options.write_buffer_bytes = 2 << 20;
  return options;
}

/// Owns the folder as well.
class Owned : public BlockStore {
 public:
  Owned() : folder_(NewFolder()), store_(std::move(OpenRocksStore(OptionsAt(folder_))).value()) {}
  ~Owned() override {
    store_.reset();
    fs::remove_all(folder_);
  }
  Status Write(const Batch& batch) override { return store_->Write(batch); }
  Result<std::optional<std::string>> Get(FamilyId f, std::string_view k) const override { return store_->Get(f, k); }
  std::unique_ptr<View> NewView() const override { return store_->NewView(); }
  Status Flush() override { return store_->Flush(); }
  Status DropRange(FamilyId f, std::string_view a, std::string_view b) override { return store_->DropRange(f, a, b); }
  Status CompactRange(FamilyId f, std::string_view a, std::string_view b) override { return store_->CompactRange(f, a, b); }
  Status Resume() override { return store_->Resume(); }
  std::uint64_t disk_bytes() const override { return store_->disk_bytes(); }

 private:
  std::string folder_;
  std::unique_ptr<BlockStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Rocks, BlockStoreSuite,
                         testing::Values([] { return std::unique_ptr<BlockStore>(std::make_unique<Owned>()); }));

class RocksStoreTest : public testing::Test {
 protected:
  RocksStoreTest() : folder_(NewFolder()) {}
  ~RocksStoreTest() override { fs::remove_all(folder_); }
  std::string folder_;
};

/// Not a test of its own: the process that the next one kills.
TEST(RocksStoreChild, DISABLED_WritesUntilKilled) {
  const char* folder = getenv("FLEETWARD_TEST_FOLDER");
  ASSERT_NE(folder, nullptr);
  auto store = std::move(OpenRocksStore(OptionsAt(folder))).value();
  for (int i = 0; i < 2000; ++i) {
    Batch batch;
    batch.Put(0, "count", std::to_string(i));
    batch.Put(3, "count", std::to_string(i));
    batch.Put(1, "row" + std::to_string(i), std::string(2000, 'x'));
    ASSERT_TRUE(store->Write(batch).ok());
    if (i == 1000) {
      ASSERT_TRUE(store->Flush().ok());
    }
  }
  ASSERT_EQ(write(atoi(getenv("FLEETWARD_TEST_FD")), "x", 1), 1);
  for (;;) pause();
}

TEST_F(RocksStoreTest, FlushedRowsSurviveSigkillAndBatchesAreNeverHalf) {
  // A process of its own: RocksDB's threads do not survive a fork.
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    setenv("FLEETWARD_TEST_FOLDER", folder_.c_str(), 1);
    setenv("FLEETWARD_TEST_FD", std::to_string(ready[1]).c_str(), 1);
    execl("/proc/self/exe", "rocks_store_test", "--gtest_also_run_disabled_tests",
          "--gtest_filter=RocksStoreChild.DISABLED_WritesUntilKilled", nullptr);
    _exit(127);
  }
  close(ready[1]);
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  auto store = std::move(OpenRocksStore(OptionsAt(folder_))).value();
  auto a = store->Get(0, "count").value(), b = store->Get(3, "count").value();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  int last = std::stoi(*a);
  EXPECT_GE(last, 1000);
  for (int i = 0; i <= last; ++i) ASSERT_TRUE(store->Get(1, "row" + std::to_string(i)).value().has_value()) << i;
  EXPECT_FALSE(store->Get(1, "row" + std::to_string(last + 1)).value().has_value());
}

TEST_F(RocksStoreTest, FamiliesCanBeAdded) {
  RocksOptions options = OptionsAt(folder_);
  {
    auto store = std::move(OpenRocksStore(options)).value();
    Batch batch;
    batch.Put(0, "a", "1");
    ASSERT_TRUE(store->Write(batch).ok());
    ASSERT_TRUE(store->Flush().ok());
  }
  options.families.push_back({"more", FamilyUse::kRows});
  auto store = std::move(OpenRocksStore(options)).value();
  EXPECT_EQ(store->Get(0, "a").value(), "1");
  EXPECT_FALSE(store->Get(4, "a").value().has_value());
}

TEST_F(RocksStoreTest, DroppedRangesGiveSpaceBack) {
  auto store = std::move(OpenRocksStore(OptionsAt(folder_))).value();
  for (char day = 'a'; day < 'f'; ++day) {
    for (int i = 0; i < 1000; ++i) {
      Batch batch;
      std::string value;
      for (int j = 0; j < 250; ++j) value += std::to_string(rand());
      batch.Put(2, std::string(1, day) + std::to_string(i), value);
      ASSERT_TRUE(store->Write(batch).ok());
    }
    ASSERT_TRUE(store->Flush().ok());
  }
  std::uint64_t before = store->disk_bytes();
  ASSERT_TRUE(store->DropRange(2, "a", "e").ok());
  std::uint64_t after = store->disk_bytes();
  EXPECT_LT(after, before / 2);
  int left = 0;
  ASSERT_TRUE(store->Scan(2, {}, {}, [&](std::string_view key, auto) {
    EXPECT_EQ(key[0], 'e');
    return ++left > 0;
  }).ok());
  EXPECT_EQ(left, 1000);
}

std::map<std::string, std::uint64_t> TableFiles(const std::string& folder) {
  std::map<std::string, std::uint64_t> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".sst") files[entry.path().filename()] = entry.file_size();
  }
  return files;
}

// Expiry must cost no report its time: what is kept is not rewritten for what goes.
TEST_F(RocksStoreTest, DroppingAWholePrefixRewritesNothing) {
  RocksOptions options = OptionsAt(folder_);
  options.families[2].file_prefix_bytes = 1;
  auto store = std::move(OpenRocksStore(options)).value();
  for (int i = 0; i < 2000; ++i) {
    Batch batch;
    std::string value;
    for (int j = 0; j < 20; ++j) value += std::to_string(rand());
    batch.Put(2, std::string(1, static_cast<char>('a' + i % 5)) + std::to_string(i), value);
    ASSERT_TRUE(store->Write(batch).ok());
    if (i % 1000 == 999) {
      ASSERT_TRUE(store->Flush().ok());  // one file alone would be moved as it is
    }
  }
  ASSERT_TRUE(store->CompactRange(2, "a", "f").ok());
  auto before = TableFiles(folder_);
  ASSERT_TRUE(store->DropRange(2, "a", "b").ok());
  auto after = TableFiles(folder_);
  std::uint64_t gone = 0;
  for (const auto& [name, size] : before) gone += after.contains(name) ? 0 : size;
  EXPECT_GT(gone, 20'000u);
  for (const auto& [name, size] : after) {
    EXPECT_TRUE(before.contains(name) || size < 4096) << name << " is new, " << size << " bytes";
  }
  std::set<char> left;
  ASSERT_TRUE(store->Scan(2, {}, {}, [&](std::string_view key, auto) { return left.insert(key[0]), true; }).ok());
  EXPECT_EQ(left, (std::set<char>{'b', 'c', 'd', 'e'}));
}

/// Writes until the store refuses, checks that reads go on, makes room, and expects writes to come back.
void FillAndHeal(const std::string& folder, const std::function<void()>& make_room) {
  auto store = std::move(OpenRocksStore(OptionsAt(folder))).value();
  Status status;
  int written = 0;
  for (; written < 100000 && status.ok(); ++written) {
    std::string value;
    for (int j = 0; j < 100; ++j) value += std::to_string(rand());
    Batch batch;
    batch.Put(2, "key" + std::to_string(written), value);
    status = store->Write(batch);
    if (status.ok() && written % 2000 == 1999) status = store->Flush();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kUnavailable) << status.error().ToString();
  for (int i = 0; i < written - 1; i += 97) {
    auto row = store->Get(2, "key" + std::to_string(i));
    ASSERT_TRUE(row.ok() && row.value()) << i;
  }
  make_room();
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  Batch batch;
  batch.Put(2, "after", "x");
  for (;;) {
    status = store->Write(batch);
    if (status.ok()) status = store->Flush();
    if (status.ok() || std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_TRUE(status.ok()) << status.error().ToString();
  store.reset();
  store = std::move(OpenRocksStore(OptionsAt(folder))).value();
  EXPECT_EQ(store->Get(2, "after").value(), "x");
  for (int i = 0; i < written - 1; i += 97) ASSERT_TRUE(store->Get(2, "key" + std::to_string(i)).value()) << i;
}

TEST_F(RocksStoreTest, HealsAfterAFullDisk) {
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=24m") != 0) GTEST_SKIP() << "mounting is not allowed here";
  std::string ballast = folder_ + "/ballast";
  std::ofstream(ballast) << std::string(8 << 20, 'b');
  FillAndHeal(folder_ + "/db", [&] { fs::remove(ballast); });
  umount2(folder_.c_str(), MNT_DETACH);
}

TEST_F(RocksStoreTest, HealsAfterAFileSizeLimit) {
  auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 300 << 10;
  setrlimit(RLIMIT_FSIZE, &small);
  FillAndHeal(folder_, [&] { setrlimit(RLIMIT_FSIZE, &old); });
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, old_handler);
}

}  // namespace
}  // namespace fleetward::store
