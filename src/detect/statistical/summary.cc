#include "statistical/summary.h"

#include <algorithm>
#include <bit>

namespace fleetward::detect {
namespace {

// Sign, exponent and the first 7 bits of the mantissa: buckets of at most 1/128 of their value, found without a
// logarithm, hence the same on every machine.
constexpr int kDroppedBits = 52 - 7;

// Numbers beyond 2^-64 and 2^64 share a bucket each: no fleet can make a summary large.
constexpr std::uint64_t kLeastNumber = std::uint64_t{1023 - 64} << 7;
constexpr std::uint64_t kGreatestNumber = std::uint64_t{1023 + 64} << 7;

}  // namespace

ValueKey KeyOf(std::int64_t count) { return count < 0 ? 0 : static_cast<ValueKey>(count); }
ValueKey KeyOf(double number) { return std::bit_cast<std::uint64_t>(number + 0.0) & ~(std::uint64_t{1} << 63); }
std::int64_t CountOf(ValueKey key) { return static_cast<std::int64_t>(key); }
double NumberOf(ValueKey key) { return std::bit_cast<double>(key); }

std::uint64_t Summary::IdOf(ValueKey key) const {
  if (exact_) return key;
  if (!numbers_) return std::bit_cast<std::uint64_t>(static_cast<double>(key)) >> kDroppedBits;
  return std::clamp(key >> kDroppedBits, kLeastNumber, kGreatestNumber);
}

void Summary::Put(const Bucket& bucket) {
  auto [at, added] = buckets_.try_emplace(IdOf(bucket.least), bucket);
  if (!added) {
    at->second.count += bucket.count;
    at->second.least = std::min(at->second.least, bucket.least);
    at->second.greatest = std::max(at->second.greatest, bucket.greatest);
  }
  if (exact_ && buckets_.size() > kMaxExact) Coarsen();
}

void Summary::Coarsen() {
  auto exact = std::move(buckets_);
  buckets_.clear();
  exact_ = false;
  for (const auto& [key, bucket] : exact) Put(bucket);
}

void Summary::Add(ValueKey key) {
  ++count_;
  Put({1, key, key});
}

void Summary::Subtract(const Summary& part) {
  for (const auto& [id, bucket] : part.buckets_) {
    auto at = buckets_.find(IdOf(bucket.least));
    if (at == buckets_.end()) continue;
    std::uint64_t taken = std::min(bucket.count, at->second.count);
    count_ -= taken;
    if ((at->second.count -= taken) == 0) buckets_.erase(at);
  }
}

void Summary::Merge(const Summary& other) {
  count_ += other.count_;
  negatives_ += other.negatives_;
  if (exact_ && !other.exact_) Coarsen();
  for (const auto& [id, bucket] : other.buckets_) Put(bucket);
}

std::vector<Summary::Bucket> Summary::Sorted() const {
  std::vector<Bucket> sorted;
  sorted.reserve(buckets_.size());
  for (const auto& [id, bucket] : buckets_) sorted.push_back(bucket);
  std::sort(sorted.begin(), sorted.end(), [](const Bucket& a, const Bucket& b) { return a.least < b.least; });
  return sorted;
}

void Summary::Save(ByteWriter& out) const {
  out.U8(static_cast<std::uint8_t>((numbers_ ? 1 : 0) | (exact_ ? 2 : 0)));
  out.Varint(negatives_);
  std::vector<Bucket> sorted = Sorted();
  out.Varint(sorted.size());
  ValueKey last = 0;
  for (const Bucket& bucket : sorted) {
    out.Varint(bucket.least - last);
    if (!exact_) out.Varint(bucket.greatest - bucket.least);
    out.Varint(bucket.count);
    last = bucket.least;
  }
}

bool Summary::Load(ByteReader& in) {
  std::uint8_t flags = in.U8();
  *this = Summary((flags & 1) != 0);
  exact_ = (flags & 2) != 0;
  negatives_ = in.Varint();
  std::uint64_t size = in.Varint();
  if (!in.ok() || size > in.remaining() || (exact_ && size > kMaxExact)) return false;
  ValueKey key = 0;
  for (std::uint64_t i = 0; i < size && in.ok(); ++i) {
    key += in.Varint();
    Bucket bucket{0, key, key};
    if (!exact_) bucket.greatest += in.Varint();
    bucket.count = in.Varint();
    count_ += bucket.count;
    buckets_.insert_or_assign(IdOf(key), bucket);
  }
  return in.ok() && buckets_.size() == size;
}

}  // namespace fleetward::detect
