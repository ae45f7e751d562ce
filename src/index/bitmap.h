// Document numbers as a compressed bitmap, and as the posting list of one term. Private; the only user of
// CRoaring.
#pragma once

#include <roaring/roaring.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "fleetward/index/collection.h"

namespace fleetward::index {

class Collection::Bitmap {
 public:
  Bitmap() : bits_(roaring_bitmap_create()) {}
  Bitmap(const Bitmap& other) : bits_(roaring_bitmap_copy(other.bits_.get())) {}
  Bitmap(Bitmap&&) = default;
  Bitmap& operator=(Bitmap&&) = default;

  void Add(std::uint32_t number) { roaring_bitmap_add(bits_.get(), number); }
  void Remove(std::uint32_t number) { roaring_bitmap_remove(bits_.get(), number); }
  bool Contains(std::uint32_t number) const { return roaring_bitmap_contains(bits_.get(), number); }
  bool empty() const { return roaring_bitmap_is_empty(bits_.get()); }
  std::uint64_t size() const { return roaring_bitmap_get_cardinality(bits_.get()); }
  std::uint32_t Least() const { return roaring_bitmap_minimum(bits_.get()); }
  std::uint64_t CountCommon(const Bitmap& other) const {
    return roaring_bitmap_and_cardinality(bits_.get(), other.bits_.get());
  }
  std::size_t MemoryBytes() const {
    return sizeof(roaring_bitmap_t) + roaring_bitmap_size_in_bytes(bits_.get());
  }

  void Unite(const Bitmap& other) { roaring_bitmap_or_inplace(bits_.get(), other.bits_.get()); }
  void Intersect(const Bitmap& other) { roaring_bitmap_and_inplace(bits_.get(), other.bits_.get()); }
  void Subtract(const Bitmap& other) { roaring_bitmap_andnot_inplace(bits_.get(), other.bits_.get()); }

  /// Numbers from `from` on, in order, until `fn` returns false.
  template <class Fn>
  void ForEach(std::uint32_t from, Fn&& fn) const {
    roaring_uint32_iterator_t at;
    roaring_init_iterator(bits_.get(), &at);
    if (from > 0 && !roaring_move_uint32_iterator_equalorlarger(&at, from)) return;
    for (; at.has_value; roaring_advance_uint32_iterator(&at)) {
      if (!fn(at.current_value)) return;
    }
  }

 private:
  struct Free {
    void operator()(roaring_bitmap_t* bits) const { roaring_bitmap_free(bits); }
  };
  std::unique_ptr<roaring_bitmap_t, Free> bits_;
};

/// One value of one field. Most values of serial numbers and the like have one document: no bitmap then.
struct Collection::Term {
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t field = 0;
  std::uint32_t single = kNone;
  std::unique_ptr<Bitmap> many{};
  const std::string* text = nullptr;  // the dictionary's key

  bool empty() const { return single == kNone && !many; }
};

struct Collection::Field {
  std::string name;
  Section section = Section::kRegistry;
  Dictionary terms;
  std::set<std::pair<double, std::uint32_t>> numbers;  // terms that are numbers
};

struct Collection::Document {
  const std::string* name = nullptr;         // the key in names_; null: erased
  std::uint64_t order = 0;
  std::unique_ptr<std::uint32_t[]> terms{};  // their number, then the terms
};

}  // namespace fleetward::index
