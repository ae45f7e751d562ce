// An open-addressing hash index of 32-bit numbers: 4 bytes a slot, the keys stay where the numbers point to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetward::registry {

/// `hash_of(number)` gives the hash of the key behind a number; it must not change while the number is in.
template <class HashOf>
class FlatIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  explicit FlatIndex(HashOf hash_of) : hash_of_(hash_of), slots_(kLeastSlots, kEmpty) {}

  /// The number for which `equals(number)`; kNone if there is none.
  template <class Equals>
  std::uint32_t Find(std::uint64_t hash, Equals&& equals) const {
    for (std::size_t i = Home(hash);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] == kEmpty) return kNone;
      if (slots_[i] != kErased && equals(slots_[i])) return slots_[i];
    }
  }

  /// For who looks several keys up: fetches the slot; then the number that stands in it, probably the key's.
  void Prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[Home(hash)]); }
  std::uint32_t Guess(std::uint64_t hash) const { return slots_[Home(hash)]; }

  /// `number` must not be in yet, and be below 2^32 - 2.
  void Insert(std::uint64_t hash, std::uint32_t number) {
    if ((used_ + 1) * 4 > slots_.size() * 3) Grow();
    Place(hash, number);
    ++used_;
    ++size_;
  }

  void Erase(std::uint64_t hash, std::uint32_t number) {
    for (std::size_t i = Home(hash); slots_[i] != kEmpty; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] != number) continue;
      slots_[i] = kErased;
      --size_;
      return;
    }
  }

  std::size_t size() const { return size_; }
  std::size_t MemoryBytes() const { return slots_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kEmpty = 0xffffffff;
  static constexpr std::uint32_t kErased = 0xfffffffe;
  static constexpr std::size_t kLeastSlots = 16;

  std::size_t Home(std::uint64_t hash) const { return (hash ^ hash >> 32) & (slots_.size() - 1); }
  void Place(std::uint64_t hash, std::uint32_t number) {
    std::size_t i = Home(hash);
    while (slots_[i] != kEmpty) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = number;
  }
  // Also sweeps out the marks of erased entries.
  void Grow() {
    std::vector<std::uint32_t> old(size_ * 2 >= slots_.size() ? slots_.size() * 2 : slots_.size(), kEmpty);
    old.swap(slots_);
    used_ = size_;
    for (std::uint32_t number : old) {
      if (number < kErased) Place(hash_of_(number), number);
    }
  }

  HashOf hash_of_;
  std::vector<std::uint32_t> slots_;
  std::size_t size_ = 0;  // numbers that are in
  std::size_t used_ = 0;  // slots that are not empty
};

}  // namespace fleetward::registry
