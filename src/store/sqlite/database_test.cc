#include "fleetward/store/sqlite/database.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "fleetward/base/file.h"
#include "../conformance/control_store_suite.h"
#include "connection.h"

namespace fleetward::store::sqlite {
namespace {

struct TemporaryFolder {
  TemporaryFolder() {
    char name[] = "/tmp/fleetward-store-XXXXXX";
    path = mkdtemp(name);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct SqliteFixture {
  ManualClock clock{FromMillis(1'000'000)};
  TemporaryFolder folder;
  std::unique_ptr<Database> database = std::move(Database::Open({folder.path + "/control.db"}, clock)).value();
  std::unique_ptr<ControlStore> Open(std::string account) {
    return database->Account(model::AccountId(std::move(account)));
  }
};

std::string ValueOf(ControlStore& store, const Table& table, std::string_view key) {
  auto value = ReadFor<std::string>(store, [&](const Reader& reader) -> Result<std::string> {
    FW_ASSIGN(auto found, reader.Get(table, key));
    return found.value_or("(none)");
  });
  return value.ok() ? *value : value.error().ToString();
}

TEST(SqliteDatabase, SurvivesReopeningAndIsPrivate) {
  SqliteFixture fixture;
  std::string path = fixture.folder.path + "/control.db";
  auto store = fixture.Open("1");
  ASSERT_TRUE(store->Write([](Transaction& tx) { return tx.Put(kKept, "k", "v"); }).ok());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(stat((path + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
  store.reset();
  fixture.database.reset();
  fixture.database = std::move(Database::Open({path}, fixture.clock)).value();
  store = fixture.Open("1");
  EXPECT_EQ(ValueOf(*store, kKept, "k"), "v");
  // The sequence goes on where it was.
  ASSERT_TRUE(store->Write([](Transaction& tx) { return tx.Put(kKept, "k", "w"); }).ok());
  std::vector<std::uint64_t> sequences;
  (void)store->Read([&](const Reader& reader) {
    return reader.History(kKept, "k", [&](const Change& c) { return sequences.push_back(c.sequence), true; });
  });
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 2}));
}

TEST(SqliteDatabase, RefusesANewerSchemaAndAForeignFile) {
  TemporaryFolder folder;
  SystemClock clock;
  std::string path = folder.path + "/control.db";
  { ASSERT_TRUE(Database::Open({path}, clock).ok()); }
  {
    auto connection = std::move(Connection::Open(path, 1024)).value();
    ASSERT_TRUE(connection->Execute("PRAGMA user_version=999").ok());
  }
  auto newer = Database::Open({path}, clock);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.error().code(), Code::kInvalidState);
  std::string junk = folder.path + "/junk.db";
  ASSERT_TRUE(WriteFileAtomic(junk, std::string(20000, 'x')).ok());
  auto foreign = Database::Open({junk}, clock);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code(), Code::kCorrupt);
}

TEST(SqliteDatabase, ConcurrentWritersShareCommits) {
  SqliteFixture fixture;
  auto store = fixture.Open("1");
  constexpr int kThreads = 16, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(store->Write([&](Transaction& tx) {
          return tx.Put(kPlain, std::to_string(t * 1000 + i), "x");
        }).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  Stats stats = fixture.database->stats();
  EXPECT_EQ(stats.writes, static_cast<std::uint64_t>(kThreads * kEach));
  EXPECT_LT(stats.commits, stats.writes);
}

// A table made by a body that fails must come again with the next one.
TEST(SqliteDatabase, TableOfAFailedBodyIsMadeAgain) {
  SqliteFixture fixture;
  auto store = fixture.Open("1");
  Status failed = store->Write([](Transaction& tx) -> Status {
    FW_TRY(tx.Put(kKept, "k", "v"));
    return Error(Code::kConflict, "no");
  });
  EXPECT_FALSE(failed.ok());
  ASSERT_TRUE(store->Write([](Transaction& tx) { return tx.Put(kKept, "k", "w"); }).ok());
  EXPECT_EQ(ValueOf(*store, kKept, "k"), "w");
}

// Decision 45: on a full disk calls fail cleanly, reads work, and service heals by itself. RLIMIT_FSIZE plays the disk.
TEST(SqliteDatabase, FullDiskFailsCleanlyAndHeals) {
  SqliteFixture fixture;
  auto store = fixture.Open("1");
  ASSERT_TRUE(store->Write([](Transaction& tx) { return tx.Put(kPlain, "before", "v"); }).ok());
  auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  rlimit small = old_limit;
  small.rlim_cur = std::filesystem::file_size(fixture.folder.path + "/control.db-wal") + 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string big(200'000, 'x');
  Status full = store->Write([&](Transaction& tx) { return tx.Put(kPlain, "big", big); });
  std::string read = ValueOf(*store, kPlain, "before");
  Status again = store->Write([&](Transaction& tx) { return tx.Put(kPlain, "big", big); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code(), Code::kUnavailable) << full.error().ToString();
  EXPECT_FALSE(again.ok());
  EXPECT_EQ(read, "v");
  EXPECT_EQ(ValueOf(*store, kPlain, "big"), "(none)");
  ASSERT_TRUE(store->Write([&](Transaction& tx) { return tx.Put(kPlain, "big", big); }).ok());
  EXPECT_EQ(ValueOf(*store, kPlain, "big"), big);
}

}  // namespace
}  // namespace fleetward::store::sqlite

namespace fleetward::store {
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, ControlStoreSuite, sqlite::SqliteFixture);
}
