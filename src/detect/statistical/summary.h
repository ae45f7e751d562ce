// What the things of a target did in one window, as counts that can be added and subtracted in any order (D8): exact up
// to 4,096 distinct values, then buckets of under 1 % with each bucket's true least and greatest value. The same values
// give the same summary whatever the order and however they were split, so decisions do not depend on shards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "fleetward/base/encoding.h"

namespace fleetward::detect {

/// A value that is not negative, as a number that sorts like it: a count itself, or the bits of a double.
using ValueKey = std::uint64_t;
ValueKey KeyOf(std::int64_t count);
/// Only for number >= 0.
ValueKey KeyOf(double number);
std::int64_t CountOf(ValueKey key);
double NumberOf(ValueKey key);

class Summary {
 public:
  static constexpr std::size_t kMaxExact = 4096;

  struct Bucket {
    std::uint64_t count = 0;
    ValueKey least = 0;
    ValueKey greatest = 0;
    bool operator==(const Bucket&) const = default;
  };

  /// `numbers`: keys are bits of doubles. All summaries that are merged must agree.
  explicit Summary(bool numbers = false) : numbers_(numbers) {}

  void Add(ValueKey key);
  /// `part`: a summary of values that are known to be in this one. Buckets' least and greatest values stay as they are.
  void Subtract(const Summary& part);
  /// Percentiles of a metric with negative values are not defined (detect.md §1): they are only counted.
  void AddNegative() { ++negatives_; }
  void Merge(const Summary& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t negatives() const { return negatives_; }
  bool exact() const { return exact_; }
  bool numbers() const { return numbers_; }
  /// Ascending.
  std::vector<Bucket> Sorted() const;

  void Save(ByteWriter& out) const;
  /// False when the bytes make no sense.
  bool Load(ByteReader& in);

 private:
  std::uint64_t IdOf(ValueKey key) const;
  void Put(const Bucket& bucket);
  void Coarsen();

  bool numbers_ = false;
  bool exact_ = true;
  std::uint64_t count_ = 0;
  std::uint64_t negatives_ = 0;
  boost::unordered_flat_map<std::uint64_t, Bucket> buckets_;   // by key, later by the key's leading bits
};

}  // namespace fleetward::detect
