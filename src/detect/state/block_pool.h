// Memory of the things' states: blocks that begin at a cache line and lie close together in huge pages. Of one thread.
#pragma once

#include <cstddef>
#include <map>

namespace fleetward::detect {

class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  /// All blocks have been freed.
  ~BlockPool();

  /// Not cleared.
  void* Allocate(std::size_t bytes);
  void Free(void* block);

 private:
  struct Chunk;
  struct Class {
    Chunk* roomy = nullptr;      // chunks with a free block, linked
    std::size_t chunks = 0;
  };

  Chunk* NewChunk(std::size_t block_bytes, Class& owner);
  static void Link(Chunk* chunk);
  static void Unlink(Chunk* chunk);
  void Give(Chunk* chunk);

  std::map<std::size_t, Class> classes_;   // by size of a block
};

}  // namespace fleetward::detect
