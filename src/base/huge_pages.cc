#include "fleetward/base/huge_pages.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

namespace fleetward {
namespace {

std::atomic<std::size_t> mapped_bytes{0};

}  // namespace

void* MapPages(std::size_t bytes, bool huge) {
  // One page more, so that it can be cut to where huge pages begin.
  std::size_t asked = bytes + kHugePage;
  void* memory = mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  char* begin = static_cast<char*>(memory);
  std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + bytes, asked - before - bytes);
  if (huge) madvise(begin + before, bytes, MADV_HUGEPAGE);   // a hint: without it all works as well
  mapped_bytes += bytes;
  return begin + before;
}

void UnmapPages(void* at, std::size_t bytes) {
  munmap(at, bytes);
  mapped_bytes -= bytes;
}

std::size_t MappedBytes() { return mapped_bytes; }

}  // namespace fleetward
