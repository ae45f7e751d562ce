#include "fleetward/store/nested_store.h"

#include <gtest/gtest.h>

#include "fleetward/base/clock.h"
#include "fleetward/store/memory_store.h"

namespace fleetward::store {
namespace {

constexpr Table kTable{"nested"};

struct NestedStoreTest : testing::Test {
  ManualClock clock{FromMillis(1'790'000'000'000)};
  std::unique_ptr<MemoryDatabase> database = MemoryDatabase::Create(clock);
  std::unique_ptr<ControlStore> store = database->Account(model::AccountId("123456789012"));

  std::string All() {
    std::string all;
    EXPECT_TRUE(store->Read([&](const Reader& reader) {
      return reader.Scan(kTable, "", "", [&](std::string_view key, std::string_view value) {
        all += std::string(key) + "=" + std::string(value) + " ";
        return true;
      });
    }).ok());
    return all;
  }
  static Status Put(ControlStore& into, std::string_view key, std::string_view value, bool fail = false) {
    return into.Write([&](Transaction& tx) -> Status {
      FW_TRY(tx.Put(kTable, key, value));
      tx.AfterCommit([] {});
      if (fail) return Error(Code::kInvalidArgument, "no");
      return {};
    });
  }
};

TEST_F(NestedStoreTest, RowsStandOrFallAlone) {
  ASSERT_TRUE(Put(*store, "a", "old").ok());
  int told = 0;
  ASSERT_TRUE(store->Write([&](Transaction& tx) -> Status {
    NestedStore nested(tx);
    EXPECT_TRUE(nested.Row([&] { return Put(nested, "b", "1"); }).ok());
    EXPECT_FALSE(nested.Row([&]() -> Status {
      FW_TRY(Put(nested, "a", "new"));
      FW_TRY(Put(nested, "c", "2"));
      FW_TRY(nested.Write([&](Transaction& inner) -> Status {
        inner.AfterCommit([&] { ++told; });
        return inner.Erase(kTable, "b");
      }));
      return Put(nested, "d", "3", true);
    }).ok());
    EXPECT_TRUE(nested.Row([&]() -> Status {
      EXPECT_FALSE(Put(nested, "a", "lost", true).ok());  // a call that fails inside of a row that goes on
      return nested.Write([&](Transaction& inner) -> Status {
        inner.AfterCommit([&] { told += 10; });
        return inner.Put(kTable, "e", "4");
      });
    }).ok());
    EXPECT_TRUE(Put(nested, "f", "5").ok());
    return {};
  }).ok());
  EXPECT_EQ(All(), "a=old b=1 e=4 f=5 ");
  EXPECT_EQ(told, 10);
}

TEST_F(NestedStoreTest, ReadsSeeWhatTheTransactionWrote) {
  ASSERT_TRUE(store->Write([&](Transaction& tx) -> Status {
    NestedStore nested(tx);
    FW_TRY(Put(nested, "a", "1"));
    return nested.Read([&](const Reader& reader) -> Status {
      FW_ASSIGN(auto value, reader.Get(kTable, "a"));
      EXPECT_EQ(value, "1");
      return {};
    });
  }).ok());
}

}  // namespace
}  // namespace fleetward::store
