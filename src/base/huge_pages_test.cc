#include "fleetward/base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace fleetward {
namespace {

TEST(HugePages, AreAlignedZeroedAndCounted) {
  std::size_t before = MappedBytes();
  std::vector<void*> pieces;
  for (bool huge : {false, true, false}) {
    auto* bytes = static_cast<unsigned char*>(MapPages(2 * kHugePage, huge));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % kHugePage, 0U);
    EXPECT_EQ(bytes[0] | bytes[kHugePage] | bytes[2 * kHugePage - 1], 0);
    bytes[0] = bytes[2 * kHugePage - 1] = 1;
    pieces.push_back(bytes);
  }
  EXPECT_EQ(MappedBytes(), before + 6 * kHugePage);
  for (void* piece : pieces) UnmapPages(piece, 2 * kHugePage);
  EXPECT_EQ(MappedBytes(), before);
}

TEST(HugePages, HoldWhatAContainerPutsIn) {
  std::size_t before = MappedBytes();
  {
    std::vector<std::uint32_t, HugePageAllocator<std::uint32_t>> numbers(10);
    EXPECT_EQ(MappedBytes(), before);
    for (std::uint32_t i = 10; i < 1'000'000; ++i) numbers.push_back(i);
    EXPECT_GE(MappedBytes(), before + numbers.capacity() * sizeof numbers[0]);
    EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0}), 499'999'500'000U - 45);
  }
  EXPECT_EQ(MappedBytes(), before);
}

}  // namespace
}  // namespace fleetward
