// One suite for every BlockStore. Instantiate with a factory: INSTANTIATE_TEST_SUITE_P(Name, BlockStoreSuite, Values(F)).
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fleetward/store/block_store.h"

namespace fleetward::store {

inline std::vector<FamilySpec> SuiteFamilies() {
  return {{"rows", FamilyUse::kRows}, {"arrivals", FamilyUse::kArrivals}, {"blocks", FamilyUse::kBlocks},
          {"slabs", FamilyUse::kSlabs}};
}

using BlockStoreFactory = std::function<std::unique_ptr<BlockStore>()>;

class BlockStoreSuite : public testing::TestWithParam<BlockStoreFactory> {
 protected:
  void SetUp() override { store_ = GetParam()(); }
  void Put(FamilyId family, std::string_view key, std::string_view value) {
    Batch batch;
    batch.Put(family, key, value);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  std::vector<std::string> Keys(FamilyId family, std::string_view from = {}, std::string_view until = {}) {
    std::vector<std::string> keys;
    EXPECT_TRUE(store_->Scan(family, from, until, [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    }).ok());
    return keys;
  }
  std::unique_ptr<BlockStore> store_;
};

TEST_P(BlockStoreSuite, BatchesSpanFamiliesAndApplyInOrder) {
  Batch batch;
  batch.Put(0, "a", "1");
  batch.Put(0, "a", "2");
  batch.Put(1, "a", "other family");
  batch.Put(0, "gone", "x");
  batch.Delete(0, "gone");
  ASSERT_TRUE(store_->Write(batch).ok());
  EXPECT_EQ(store_->Get(0, "a").value(), "2");
  EXPECT_EQ(store_->Get(1, "a").value(), "other family");
  EXPECT_FALSE(store_->Get(0, "gone").value().has_value());
  EXPECT_FALSE(store_->Get(2, "a").value().has_value());
}

TEST_P(BlockStoreSuite, ScansAreHalfOpenAndOrderedByBytes) {
  std::string high("\xff\x00", 2), zero("\x00", 1);
  for (const std::string& key : {std::string("b"), std::string("a"), high, zero, std::string("ab")}) Put(0, key, key);
  EXPECT_EQ(Keys(0), (std::vector<std::string>{zero, "a", "ab", "b", high}));
  EXPECT_EQ(Keys(0, "a", "b"), (std::vector<std::string>{"a", "ab"}));
  int seen = 0;
  ASSERT_TRUE(store_->Scan(0, {}, {}, [&](auto, auto) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_P(BlockStoreSuite, CursorsMoveBothWays) {
  for (const char* key : {"a", "c", "e"}) Put(0, key, key);
  auto view = store_->NewView();
  auto cursor = view->NewCursor(0);
  cursor->SeekBefore("d");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), "c");
  cursor->Prev();
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), "a");
  cursor->Prev();
  EXPECT_FALSE(cursor->Valid());
  cursor->SeekBefore("a");
  EXPECT_FALSE(cursor->Valid());
  cursor->SeekBefore("z");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), "e");
  cursor->Seek("d");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->value(), "e");
  cursor->Next();
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(cursor->status().ok());
}

TEST_P(BlockStoreSuite, AViewStandsStill) {
  Put(0, "a", "old");
  auto view = store_->NewView();
  Batch batch;
  batch.Put(0, "a", "new");
  batch.Put(1, "b", "new");
  ASSERT_TRUE(store_->Write(batch).ok());
  EXPECT_EQ(view->Get(0, "a").value(), "old");
  EXPECT_FALSE(view->NewCursor(1)->Valid());
  EXPECT_EQ(store_->Get(0, "a").value(), "new");
}

TEST_P(BlockStoreSuite, RangesGoInTheirFamilyOnly) {
  for (const char* key : {"a", "b", "c", "d"}) {
    Put(1, key, "x");
    Put(2, key, "x");
  }
  Batch batch;
  batch.DeleteRange(1, "b", "d");
  ASSERT_TRUE(store_->Write(batch).ok());
  EXPECT_EQ(Keys(1), (std::vector<std::string>{"a", "d"}));
  ASSERT_TRUE(store_->DropRange(2, {}, "c").ok());
  EXPECT_EQ(Keys(2), (std::vector<std::string>{"c", "d"}));
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(Keys(2), (std::vector<std::string>{"c", "d"}));
}

TEST_P(BlockStoreSuite, AgreesWithAMap) {
  std::mt19937 random(7);
  std::map<std::string, std::string> expected;
  for (int round = 0; round < 200; ++round) {
    Batch batch;
    for (int i = 0; i < 20; ++i) {
      std::string key = std::to_string(random() % 500);
      if (random() % 4 == 0) {
        batch.Delete(3, key);
        expected.erase(key);
      } else {
        std::string value(random() % 100, static_cast<char>(random()));
        batch.Put(3, key, value);
        expected[key] = value;
      }
    }
    ASSERT_TRUE(store_->Write(batch).ok());
    if (round % 40 == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
  }
  std::map<std::string, std::string> found;
  ASSERT_TRUE(store_->Scan(3, {}, {}, [&](std::string_view k, std::string_view v) {
    return found.emplace(k, v).second;
  }).ok());
  EXPECT_EQ(found, expected);
}

TEST_P(BlockStoreSuite, ReadersBesideAWriterSeeWholeBatches) {
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      auto view = store_->NewView();
      auto a = view->Get(0, "a"), b = view->Get(3, "b");
      ASSERT_TRUE(a.ok() && b.ok());
      ASSERT_EQ(a.value(), b.value());
    }
  });
  for (int i = 0; i < 300; ++i) {
    Batch batch;
    batch.Put(0, "a", std::to_string(i));
    batch.Put(3, "b", std::to_string(i));
    ASSERT_TRUE(store_->Write(batch).ok());
    if (i % 100 == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
  }
  stop = true;
  reader.join();
}

}  // namespace fleetward::store
