// How much a checkpoint may take (D21). That it brings everything back is crash_test.cc's.
#include "fleetward/telemetry/checkpoint.h"

#include <gtest/gtest.h>
#include <time.h>

#include <memory>

#include "fleetward/store/memory_store.h"

namespace fleetward::telemetry {
namespace {

double ThreadCpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// Slabs that cost half a millisecond of CPU each, on a clock that the tests turn.
class CheckpointTest : public testing::Test {
 protected:
  static constexpr std::size_t kSlabs = 400;

  void SetUp() override {
    SlabCallbacks callbacks;
    callbacks.save = [](SlabId slab, std::string& out, store::Batch&) {
      out += 's';
      if (slab >= kSlabCount) return;  // the shard's own row
      for (double begun = ThreadCpuSeconds(); ThreadCpuSeconds() - begun < 0.0005;) {
      }
    };
    callbacks.load = [](SlabId, std::string_view) { return Status(); };
    checkpointer_ = std::make_unique<Checkpointer>(0, 1, std::move(callbacks));
    ASSERT_TRUE(checkpointer_->Load(*blocks_, AppliedTable::Open(*blocks_, 1).value()).ok());
    for (SlabId slab = 0; slab < kSlabs; ++slab) checkpointer_->Touch(slab);
    checkpointer_->Advance(1000);
    checkpointer_->Begin();
  }
  void Step(Pace pace) {
    store::Batch batch;
    checkpointer_->Step(now_ms_, pace, batch);
    ASSERT_TRUE(blocks_->Write(batch).ok());
    checkpointer_->Written();
  }

  std::int64_t now_ms_ = 1'000'000;
  std::unique_ptr<store::MemoryBlockStore> blocks_ = store::MakeMemoryBlockStore(TelemetryFamilies().size());
  std::unique_ptr<Checkpointer> checkpointer_;
};

TEST_F(CheckpointTest, TakesFivePerCentOfACoreBesideWhatOneStepTakes) {
  const std::int64_t begun_ms = now_ms_;
  const Checkpointer::Stats& stats = checkpointer_->stats();
  for (; checkpointer_->active(); now_ms_ += 10) {
    ASSERT_LT(now_ms_, begun_ms + 60'000) << "it comes to an end";
    Step(Pace::kSteady);
    const double passed = static_cast<double>(now_ms_ - begun_ms) / 1000;
    ASSERT_LE(stats.cpu_seconds, 0.05 + 0.05 * passed + stats.longest_step_seconds) << passed;
  }
  EXPECT_EQ(stats.slabs, kSlabs);
  EXPECT_EQ(checkpointer_->written_position(), 1000U);
  EXPECT_GE(stats.cpu_seconds, 0.2);
}

TEST_F(CheckpointTest, WhatItDidNotUseForLongIsNotSavedUp) {
  for (int i = 0; i < 100; ++i, now_ms_ += 36'000) Step(Pace::kPaused);
  EXPECT_EQ(checkpointer_->stats().slabs, 0U);
  while (checkpointer_->active()) {
    const std::uint64_t slabs = checkpointer_->stats().slabs;
    Step(Pace::kSteady);
    if (checkpointer_->stats().slabs == slabs) break;
  }
  EXPECT_TRUE(checkpointer_->active());
  EXPECT_LE(checkpointer_->stats().cpu_seconds, 0.05 + checkpointer_->stats().longest_step_seconds);
}

TEST_F(CheckpointTest, WhenItIsUrgentItTakesWhatItNeeds) {
  for (std::size_t steps = 0; checkpointer_->active(); ++steps) {
    ASSERT_LE(steps, kSlabs);
    Step(Pace::kUrgent);
  }
  EXPECT_EQ(checkpointer_->stats().slabs, kSlabs);
}

TEST_F(CheckpointTest, OneStepIsAFewSlabsOrOneLargeOne) {
  Step(Pace::kSteady);
  EXPECT_GE(checkpointer_->stats().slabs, 1U);
  EXPECT_LE(checkpointer_->stats().slabs, 10U) << "5 ms of half a millisecond each";
}

}  // namespace
}  // namespace fleetward::telemetry
