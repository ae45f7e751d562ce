#include "state/block_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fleetward/base/huge_pages.h"

namespace fleetward::detect {
namespace {

struct Block {
  char* at = nullptr;
  std::size_t bytes = 0;
  char mark = 0;
  bool Whole() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (at[i] != mark) return false;
    }
    return true;
  }
};

TEST(BlockPool, BlocksBeginAtALineAndDoNotOverlap) {
  std::size_t before = MappedBytes();
  {
    BlockPool pool;
    std::vector<Block> blocks;
    std::uint64_t random = 88172645463325252ULL;
    auto next = [&] {
      random ^= random << 13;
      random ^= random >> 7;
      return random ^= random << 17;
    };
    constexpr std::size_t kSizes[] = {1, 64, 65, 700, 2'700, 70'000, 1'100'000, 2'500'000};
    for (int step = 0; step < 40'000; ++step) {
      std::size_t at = blocks.empty() ? 0 : next() % blocks.size();
      // Grows to some thousand blocks, then goes down to none.
      bool grow = blocks.empty() || next() % 100 < (step < 20'000 ? 60U : 40U);
      if (grow) {
        std::size_t size = kSizes[next() % 100 < 98 ? next() % 5 : next() % 8];
        Block block{static_cast<char*>(pool.Allocate(size)), size, static_cast<char>(step)};
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.at) % 64, 0U);
        std::memset(block.at, block.mark, block.bytes);
        blocks.push_back(block);
      } else {
        ASSERT_TRUE(blocks[at].Whole());
        pool.Free(blocks[at].at);
        blocks[at] = blocks.back();
        blocks.pop_back();
      }
    }
    for (const Block& block : blocks) {
      ASSERT_TRUE(block.Whole());
      pool.Free(block.at);
    }
    EXPECT_LE(MappedBytes(), before + 8 * 2 * kHugePage) << "at most one empty chunk of a size stays";
  }
  EXPECT_EQ(MappedBytes(), before);
}

TEST(BlockPool, GivesEmptyChunksBack) {
  BlockPool pool;
  std::size_t before = MappedBytes();
  std::vector<void*> blocks;
  for (int i = 0; i < 10'000; ++i) blocks.push_back(pool.Allocate(1000));
  EXPECT_EQ(MappedBytes(), before + WholeHugePages(10'000 * 1024));
  for (void* block : blocks) pool.Free(block);
  EXPECT_EQ(MappedBytes(), before + kHugePage);
}

}  // namespace
}  // namespace fleetward::detect
