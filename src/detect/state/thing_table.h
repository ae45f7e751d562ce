// EntityId to Thing: open addressing with linear probing, 16 bytes an entry.
#pragma once

#include <cstdint>
#include <vector>

#include "state/thing.h"

namespace fleetward::detect {

class ThingTable {
 public:
  Thing* Find(const model::EntityId& entity) const {
    if (entries_.empty()) return nullptr;
    std::uint64_t hash = HashOf(entity);
    for (std::size_t at = hash & mask_; entries_[at].thing; at = (at + 1) & mask_) {
      if (entries_[at].hash == hash && entries_[at].thing->entity == entity) return entries_[at].thing;
    }
    return nullptr;
  }

  /// The entity is not in the table.
  void Insert(Thing* thing) {
    if ((size_ + 1) * 4 > entries_.size() * 3) Grow();
    Put({HashOf(thing->entity), thing});
    ++size_;
  }

  /// The thing moved in memory.
  void Replace(const Thing* before, Thing* after) {
    std::uint64_t hash = HashOf(after->entity);
    for (std::size_t at = hash & mask_; entries_[at].thing; at = (at + 1) & mask_) {
      if (entries_[at].thing == before) {
        entries_[at].thing = after;
        return;
      }
    }
  }

  void Erase(const Thing* thing) {
    std::size_t at = HashOf(thing->entity) & mask_;
    while (entries_[at].thing != thing) at = (at + 1) & mask_;
    entries_[at] = {};
    --size_;
    // Later entries of the run close up, so that no search ends at the hole.
    for (std::size_t next = (at + 1) & mask_; entries_[next].thing; next = (next + 1) & mask_) {
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
    Thing* thing = nullptr;
  };
  static std::uint64_t HashOf(const model::EntityId& entity) {
    std::uint64_t x = (entity.high ^ 0x2545f4914f6cdd1dULL) * 0x9e3779b97f4a7c15ULL ^ entity.low;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ULL;
    return x ^ (x >> 29);
  }
  void Put(const Entry& entry) {
    std::size_t at = entry.hash & mask_;
    while (entries_[at].thing) at = (at + 1) & mask_;
    entries_[at] = entry;
  }
  void Grow() {
    std::vector<Entry> old = std::move(entries_);
    entries_.assign(old.empty() ? 64 : old.size() * 2, Entry());
    mask_ = entries_.size() - 1;
    for (const Entry& entry : old) {
      if (entry.thing) Put(entry);
    }
  }
  std::vector<Entry> entries_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fleetward::detect
