#include "conformance/block_store_suite.h"

namespace fleetward::store {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, BlockStoreSuite, testing::Values([] {
  return std::unique_ptr<BlockStore>(MakeMemoryBlockStore(SuiteFamilies().size()));
}));

TEST(MemoryBlockStore, ACrashLosesWhatWasNotFlushed) {
  auto store = MakeMemoryBlockStore(1);
  Batch batch;
  batch.Put(0, "a", "1");
  ASSERT_TRUE(store->Write(batch).ok());
  ASSERT_TRUE(store->Flush().ok());
  batch.Clear();
  batch.Put(0, "a", "2");
  ASSERT_TRUE(store->Write(batch).ok());
  store->SetFull(true);
  EXPECT_EQ(store->Write(batch).error().code(), Code::kUnavailable);
  store->SetFull(false);
  store->Crash();
  EXPECT_EQ(store->Get(0, "a").value(), "1");
}

}  // namespace
}  // namespace fleetward::store
