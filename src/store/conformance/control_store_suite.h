// The tests every adapter of ControlStore passes. An adapter's test defines a fixture with
// `std::unique_ptr<ControlStore> Open(std::string account)` and a `ManualClock clock`, and instantiates the suite.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/base/clock.h"
#include "fleetward/store/control_store.h"
#include "fleetward/store/ordered_key.h"

namespace fleetward::store {

inline constexpr Table kPlain{"plain"};
inline constexpr Table kKept{"kept", true};
inline constexpr Table kNeverWritten{"never_written"};

template <class Fixture>
class ControlStoreSuite : public ::testing::Test {
 protected:
  Fixture fixture_;
  std::unique_ptr<ControlStore> store_ = fixture_.Open("123456789012");

  std::string Value(const Table& table, std::string_view key) {
    std::string found = "(none)";
    Status status = store_->Read([&](const Reader& reader) -> Status {
      FW_ASSIGN(auto value, reader.Get(table, key));
      if (value) found = *value;
      return {};
    });
    EXPECT_TRUE(status.ok());
    return found;
  }
  void Put(const Table& table, std::string_view key, std::string_view value, std::string_view actor = "test") {
    Status status = store_->Write(actor, [&](Transaction& tx) { return tx.Put(table, key, value); });
    ASSERT_TRUE(status.ok()) << status.error().ToString();
  }
  std::vector<std::string> Keys(std::string_view from, std::string_view until, bool down = false) {
    std::vector<std::string> keys;
    auto collect = [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    };
    Status status = store_->Read([&](const Reader& reader) {
      return down ? reader.ScanDown(kPlain, from, until, collect) : reader.Scan(kPlain, from, until, collect);
    });
    EXPECT_TRUE(status.ok());
    return keys;
  }
};

TYPED_TEST_SUITE_P(ControlStoreSuite);

TYPED_TEST_P(ControlStoreSuite, UnknownTableReadsAsEmpty) {
  EXPECT_EQ(this->Value(kNeverWritten, "x"), "(none)");
  int seen = 0;
  Status status = this->store_->Read([&](const Reader& reader) {
    return reader.Scan(kNeverWritten, "", "", [&](auto, auto) { return ++seen, true; });
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(seen, 0);
}

TYPED_TEST_P(ControlStoreSuite, KeepsAnyBytes) {
  std::string key("\0\xff\x01k", 4), value("\0\xfe", 2);
  this->Put(kPlain, key, value);
  this->Put(kPlain, "empty", "");
  EXPECT_EQ(this->Value(kPlain, key), value);
  EXPECT_EQ(this->Value(kPlain, "empty"), "");
}

TYPED_TEST_P(ControlStoreSuite, ScansInByteOrderBothWays) {
  for (const char* key : {"b", "a", "\xff", "aa", "c"}) this->Put(kPlain, key, key);
  using Names = std::vector<std::string>;
  EXPECT_EQ(this->Keys("", ""), (Names{"a", "aa", "b", "c", "\xff"}));
  EXPECT_EQ(this->Keys("aa", "c"), (Names{"aa", "b"}));
  EXPECT_EQ(this->Keys("", "", true), (Names{"\xff", "c", "b", "aa", "a"}));
  EXPECT_EQ(this->Keys("aa", "c", true), (Names{"b", "aa"}));
  EXPECT_EQ(this->Keys("c", "a"), (Names{}));
}

TYPED_TEST_P(ControlStoreSuite, ScanStopsWhenToldAndBodySeesItsOwnWrites) {
  Status status = this->store_->Write("test", [&](Transaction& tx) -> Status {
    for (const char* key : {"a", "b", "c"}) FW_TRY(tx.Put(kPlain, key, key));
    FW_TRY(tx.Erase(kPlain, "b"));
    std::vector<std::string> seen;
    FW_TRY(tx.Scan(kPlain, "", "", [&](std::string_view key, std::string_view) {
      seen.emplace_back(key);
      return false;
    }));
    EXPECT_EQ(seen, (std::vector<std::string>{"a"}));
    FW_ASSIGN(auto gone, tx.Get(kPlain, "b"));
    EXPECT_FALSE(gone);
    return {};
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(this->Keys("", ""), (std::vector<std::string>{"a", "c"}));
}

TYPED_TEST_P(ControlStoreSuite, BodyMayEraseWhileItScans) {
  for (int i = 0; i < 20; ++i) this->Put(kPlain, "k" + std::to_string(i), "");
  Status status = this->store_->Write("test", [&](Transaction& tx) {
    Status inner;
    Status scan = tx.Scan(kPlain, "", "", [&](std::string_view key, std::string_view) {
      inner = tx.Erase(kPlain, std::string(key));
      return inner.ok();
    });
    return inner.ok() ? scan : inner;
  });
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(this->Keys("", "").empty());
}

TYPED_TEST_P(ControlStoreSuite, FailingBodyChangesNothing) {
  this->Put(kPlain, "k", "old");
  this->Put(kKept, "k", "old");
  bool ran = false;
  Status status = this->store_->Write("test", [&](Transaction& tx) -> Status {
    tx.AfterCommit([&] { ran = true; });
    FW_TRY(tx.Put(kPlain, "k", "new"));
    FW_TRY(tx.Put(kPlain, "other", "new"));
    FW_TRY(tx.Erase(kKept, "k"));
    return Error(Code::kConflict, "no");
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kConflict);
  EXPECT_EQ(this->Value(kPlain, "k"), "old");
  EXPECT_EQ(this->Value(kPlain, "other"), "(none)");
  EXPECT_EQ(this->Value(kKept, "k"), "old");
  EXPECT_FALSE(ran);
  int changes = 0;
  (void)this->store_->Read([&](const Reader& reader) {
    return reader.History(kKept, "k", [&](const Change&) { return ++changes, true; });
  });
  EXPECT_EQ(changes, 1);
}

TYPED_TEST_P(ControlStoreSuite, AccountsAreApart) {
  this->Put(kPlain, "k", "mine");
  auto other = this->fixture_.Open("210987654321");
  std::optional<std::string> found = "unset";
  (void)other->Read([&](const Reader& reader) -> Status {
    FW_ASSIGN(found, reader.Get(kPlain, "k"));
    return {};
  });
  EXPECT_FALSE(found);
}

TYPED_TEST_P(ControlStoreSuite, HistoryKeepsTimeActorAndErasure) {
  this->Put(kKept, "k", "one", "ann");
  this->fixture_.clock.Advance(Millis(1000));
  this->Put(kKept, "k", "two", "bob");
  this->Put(kKept, "l", "x", "bob");
  this->fixture_.clock.Advance(Millis(1000));
  Timestamp last = this->fixture_.clock.Now();
  (void)this->store_->Write("eve", [](Transaction& tx) { return tx.Erase(kKept, "k"); });
  std::vector<Change> changes;
  (void)this->store_->Read([&](const Reader& reader) {
    return reader.History(kKept, "k", [&](const Change& c) { return changes.push_back(c), true; });
  });
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].actor, "ann");
  EXPECT_EQ(changes[1].value, "two");
  EXPECT_EQ(changes[2].at, last);
  EXPECT_FALSE(changes[2].value);
  EXPECT_LT(changes[0].sequence, changes[1].sequence);
  std::uint64_t mine = 0;
  EXPECT_TRUE(this->store_->Write("eve", [&](Transaction& tx) -> Status {
    FW_ASSIGN(std::uint64_t known, tx.LastChange());
    EXPECT_EQ(known, changes[2].sequence);
    FW_TRY(tx.Put(kKept, "m", ""));
    FW_ASSIGN(mine, tx.LastChange());
    return {};
  }).ok());
  EXPECT_GT(mine, changes[2].sequence);
  int before = 0;
  (void)this->store_->Read([&](const Reader& reader) {
    return reader.HistoryUntil(kKept, last - Millis(1), [&](auto, const Change&) { return ++before, true; });
  });
  EXPECT_EQ(before, 3);
}

TYPED_TEST_P(ControlStoreSuite, ConcurrentWritersAllLandAndFailuresHurtOnlyThemselves) {
  constexpr int kThreads = 8, kEach = 40;
  std::atomic<int> after = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        Status status = this->store_->Write("w", [&](Transaction& tx) -> Status {
          FW_ASSIGN(auto count, tx.Get(kPlain, "count"));
          FW_TRY(tx.Put(kPlain, "count", std::to_string((count ? std::stoi(*count) : 0) + 1)));
          if (i % 4 == 3) return Error(Code::kConflict, "on purpose");
          FW_TRY(tx.Put(kPlain, "w" + std::to_string(t) + "-" + std::to_string(i), ""));
          tx.AfterCommit([&] { ++after; });
          return {};
        });
        if (!status.ok()) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  constexpr int kGood = kThreads * kEach * 3 / 4;
  EXPECT_EQ(this->Value(kPlain, "count"), std::to_string(kGood));
  EXPECT_EQ(after, kGood);
  EXPECT_EQ(failed, kThreads * kEach / 4);
  EXPECT_EQ(this->Keys("w", "x").size(), static_cast<std::size_t>(kGood));
}

TYPED_TEST_P(ControlStoreSuite, AfterCommitRunsInCommitOrderAndMayRead) {
  std::vector<int> order;
  std::vector<std::thread> threads;
  std::vector<int> committed;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        (void)this->store_->Write("w", [&, t, i](Transaction& tx) -> Status {
          int id = t * 100 + i;
          committed.push_back(id);  // bodies run one at a time
          tx.AfterCommit([&, id] {
            std::string key = "o" + std::to_string(id);
            order.push_back(this->Value(kPlain, key) == "y" ? id : -1);
          });
          return tx.Put(kPlain, "o" + std::to_string(id), "y");
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(order, committed);
}

TYPED_TEST_P(ControlStoreSuite, ReadersSeeOneSnapshot) {
  auto put_both = [&](const std::string& value) {
    return this->store_->Write("w", [&](Transaction& tx) -> Status {
      FW_TRY(tx.Put(kPlain, "left", value));
      return tx.Put(kPlain, "right", value);
    });
  };
  ASSERT_TRUE(put_both("0").ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) (void)put_both(std::to_string(i));
  });
  for (int i = 0; i < 300; ++i) {
    Status status = this->store_->Read([&](const Reader& reader) -> Status {
      FW_ASSIGN(auto left, reader.Get(kPlain, "left"));
      std::this_thread::yield();
      FW_ASSIGN(auto right, reader.Get(kPlain, "right"));
      EXPECT_EQ(left, right);
      return {};
    });
    ASSERT_TRUE(status.ok());
  }
  stop = true;
  writer.join();
}

TYPED_TEST_P(ControlStoreSuite, WriteForGivesTheBodysValue) {
  auto result = WriteFor<int>(*this->store_, "w", [](Transaction& tx) -> Result<int> {
    FW_TRY(tx.Put(kPlain, "k", "v"));
    return 7;
  });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, 7);
  auto failed = ReadFor<int>(*this->store_, [](const Reader&) -> Result<int> {
    return Error(Code::kNotFound, "nothing");
  });
  EXPECT_FALSE(failed.ok());
}

REGISTER_TYPED_TEST_SUITE_P(ControlStoreSuite, UnknownTableReadsAsEmpty, KeepsAnyBytes, ScansInByteOrderBothWays,
                            ScanStopsWhenToldAndBodySeesItsOwnWrites, BodyMayEraseWhileItScans,
                            FailingBodyChangesNothing, AccountsAreApart, HistoryKeepsTimeActorAndErasure,
                            ConcurrentWritersAllLandAndFailuresHurtOnlyThemselves,
                            AfterCommitRunsInCommitOrderAndMayRead, ReadersSeeOneSnapshot,
                            WriteForGivesTheBodysValue);

}  // namespace fleetward::store
