// From a 128-bit id to an object that holds it: open addressing with linear probing, 16 bytes an entry. The objects
// belong to somebody else.
#pragma once

#include <cstdint>
#include <vector>

#include "fleetward/base/huge_pages.h"
#include "fleetward/base/id128.h"

namespace fleetward {

/// How far ahead of its use memory is fetched. Things' states lie anywhere in gigabytes, and each step leads to the
/// address of the next: who knows which things come soon asks for one step after the other.
enum class Ahead : std::uint8_t { kEntry, kState, kContents };

inline void PrefetchBytes(const void* at, std::size_t bytes) {
  constexpr std::size_t kLine = 64;
  const char* begin = static_cast<const char*>(at);
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(begin + i);
}

/// `T` has a member `entity` of type Id128, which does not change while the object is in.
template <class T>
class IdTable {
 public:
  T* Find(const Id128& id) const {
    if (entries_.empty()) return nullptr;
    std::uint64_t hash = HashOf(id);
    for (std::size_t at = hash & mask_; entries_[at].object; at = (at + 1) & mask_) {
      if (entries_[at].hash == hash && entries_[at].object->entity == id) return entries_[at].object;
    }
    return nullptr;
  }

  /// As Find without a look at the object, which therefore need not be in a cache: once in 2^64 it is another one.
  T* FindByHash(const Id128& id) const {
    if (entries_.empty()) return nullptr;
    std::uint64_t hash = HashOf(id);
    for (std::size_t at = hash & mask_; entries_[at].object; at = (at + 1) & mask_) {
      if (entries_[at].hash == hash) return entries_[at].object;
    }
    return nullptr;
  }

  void Prefetch(const Id128& id) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[HashOf(id) & mask_]);
  }

  /// The id is not in the table.
  void Insert(T* object) {
    if ((size_ + 1) * 4 > entries_.size() * 3) Grow();
    Put({HashOf(object->entity), object});
    ++size_;
  }

  /// The object moved in memory.
  void Replace(const T* before, T* after) {
    std::uint64_t hash = HashOf(after->entity);
    for (std::size_t at = hash & mask_; entries_[at].object; at = (at + 1) & mask_) {
      if (entries_[at].object == before) {
        entries_[at].object = after;
        return;
      }
    }
  }

  /// The object is in the table.
  void Erase(const T* object) {
    std::size_t at = HashOf(object->entity) & mask_;
    while (entries_[at].object != object) at = (at + 1) & mask_;
    entries_[at] = {};
    --size_;
    // Later entries of the run close up, so that no search ends at the hole.
    for (std::size_t next = (at + 1) & mask_; entries_[next].object; next = (next + 1) & mask_) {
      Entry moved = entries_[next];
      entries_[next] = {};
      Put(moved);
    }
  }

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return entries_.size() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    T* object = nullptr;
  };
  using Entries = std::vector<Entry, HugePageAllocator<Entry>>;
  static std::uint64_t HashOf(const Id128& id) {
    std::uint64_t x = (id.high ^ 0x2545f4914f6cdd1dULL) * 0x9e3779b97f4a7c15ULL ^ id.low;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ULL;
    return x ^ (x >> 29);
  }
  void Put(const Entry& entry) {
    std::size_t at = entry.hash & mask_;
    while (entries_[at].object) at = (at + 1) & mask_;
    entries_[at] = entry;
  }
  void Grow() {
    Entries old = std::move(entries_);
    entries_.assign(old.empty() ? 64 : old.size() * 2, Entry());
    mask_ = entries_.size() - 1;
    for (const Entry& entry : old) {
      if (entry.object) Put(entry);
    }
  }
  Entries entries_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fleetward
