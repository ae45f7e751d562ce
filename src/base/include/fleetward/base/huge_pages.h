// Large pieces of memory that are visited at random. In pages of 4 KB nearly each visit also misses the processor's
// table of pages; where the kernel gives huge pages (transparent_hugepage `madvise` or `always`) these lie in them.
#pragma once

#include <cstddef>
#include <new>

namespace fleetward {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

constexpr std::size_t WholeHugePages(std::size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

/// Zeroed, at a multiple of kHugePage. `bytes` is one as well. `huge` asks for huge pages: memory that is touched anywhere
/// is then taken 2 MB at a time. Throws bad_alloc.
void* MapPages(std::size_t bytes, bool huge);
void UnmapPages(void* at, std::size_t bytes);
/// What the process has mapped in this way, which no figure of malloc's counts.
std::size_t MappedBytes();

/// For containers; what is smaller than a huge page comes from the heap.
template <class T>
struct HugePageAllocator {
  using value_type = T;
  HugePageAllocator() = default;
  template <class U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: allocators convert into each other

  T* allocate(std::size_t count) {
    std::size_t bytes = count * sizeof(T);
    if (bytes < kHugePage) return static_cast<T*>(::operator new(bytes));
    return static_cast<T*>(MapPages(WholeHugePages(bytes), true));
  }
  void deallocate(T* at, std::size_t count) {
    std::size_t bytes = count * sizeof(T);
    if (bytes < kHugePage) return ::operator delete(at);
    UnmapPages(at, WholeHugePages(bytes));
  }
  bool operator==(const HugePageAllocator&) const = default;
};

}  // namespace fleetward
