#include "state/block_pool.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstdint>

#include "fleetward/base/huge_pages.h"

namespace fleetward::detect {
namespace {

constexpr std::size_t kLine = 64;

/// Few sizes, so that few chunks are begun.
std::size_t BlockBytes(std::size_t bytes) {
  std::size_t step = bytes <= 64 * 1024 ? kLine : 4096;
  return (std::max<std::size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

/// Stands at the begin of its memory; the blocks, of one size, follow.
struct BlockPool::Chunk {
  struct Freed {
    Freed* next;
  };
  Class* owner;
  Chunk* next;               // in owner->roomy, as is `before`
  Chunk* before;
  Freed* freed;
  std::size_t block_bytes;
  std::uint32_t fresh;       // blocks from this on were never given out
  std::uint32_t used;
  std::uint32_t capacity;

  /// Every block begins in the chunk's first huge page.
  static Chunk* Of(void* block) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(block) & ~std::uintptr_t{kHugePage - 1});
  }
  static std::size_t BytesFor(std::size_t block_bytes) { return WholeHugePages(kLine + block_bytes); }
  char* Block(std::size_t i) { return reinterpret_cast<char*>(this) + kLine + i * block_bytes; }
  bool full() const { return used == capacity; }
};

BlockPool::~BlockPool() {
  for (auto& [bytes, owner] : classes_) {
    while (owner.roomy) Give(owner.roomy);
  }
}

BlockPool::Chunk* BlockPool::NewChunk(std::size_t block_bytes, Class& owner) {
  static_assert(sizeof(Chunk) <= kLine);
  std::size_t bytes = Chunk::BytesFor(block_bytes);
  // A huge page is taken whole: small fleets do without.
  auto* chunk = static_cast<Chunk*>(MapPages(bytes, owner.chunks > 0));
  chunk->owner = &owner;
  chunk->block_bytes = block_bytes;
  chunk->capacity = static_cast<std::uint32_t>((bytes - kLine) / block_bytes);
  if (bytes > kHugePage) chunk->capacity = 1;
  ++owner.chunks;
  Link(chunk);
  return chunk;
}

void BlockPool::Link(Chunk* chunk) {
  Class& owner = *chunk->owner;
  chunk->before = nullptr;
  chunk->next = owner.roomy;
  if (chunk->next) chunk->next->before = chunk;
  owner.roomy = chunk;
}

void BlockPool::Unlink(Chunk* chunk) {
  (chunk->before ? chunk->before->next : chunk->owner->roomy) = chunk->next;
  if (chunk->next) chunk->next->before = chunk->before;
}

/// Back to the system.
void BlockPool::Give(Chunk* chunk) {
  Unlink(chunk);
  --chunk->owner->chunks;
  std::size_t bytes = Chunk::BytesFor(chunk->block_bytes);
  ASAN_UNPOISON_MEMORY_REGION(chunk, bytes);
  UnmapPages(chunk, bytes);
}

void* BlockPool::Allocate(std::size_t bytes) {
  std::size_t block_bytes = BlockBytes(bytes);
  Class& owner = classes_[block_bytes];
  Chunk* chunk = owner.roomy ? owner.roomy : NewChunk(block_bytes, owner);
  void* block = chunk->freed;
  if (block) {
    ASAN_UNPOISON_MEMORY_REGION(block, block_bytes);
    chunk->freed = chunk->freed->next;
  } else {
    block = chunk->Block(chunk->fresh++);
  }
  ++chunk->used;
  if (chunk->full()) Unlink(chunk);
  return block;
}

void BlockPool::Free(void* block) {
  Chunk* chunk = Chunk::Of(block);
  if (chunk->full()) Link(chunk);
  auto* freed = static_cast<Chunk::Freed*>(block);
  freed->next = chunk->freed;
  chunk->freed = freed;
  ASAN_POISON_MEMORY_REGION(block, chunk->block_bytes);
  --chunk->used;
  // One chunk of a size stays, so that a single thing that comes and goes maps nothing.
  if (chunk->used == 0 && chunk->owner->chunks > 1) Give(chunk);
}

}  // namespace fleetward::detect
