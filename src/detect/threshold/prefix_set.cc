#include "threshold/prefix_set.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace fleetward::detect {
namespace {

/// The range that holds the value, or null. Ranges before `from` begin below it, those from `to` on above.
template <class T>
const std::pair<T, T>* FindRange(const std::vector<std::pair<T, T>>& ranges, T value, std::size_t from, std::size_t to) {
  auto begin = ranges.begin();
  auto after = std::upper_bound(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to), value,
                                [](T v, const std::pair<T, T>& range) { return v < range.first; });
  if (after == begin) return nullptr;
  const auto* range = &*std::prev(after);
  return value <= range->second ? range : nullptr;
}

std::uint32_t LowWord(const model::IpAddress& address) {
  return static_cast<std::uint32_t>(address.bytes[12]) << 24 | static_cast<std::uint32_t>(address.bytes[13]) << 16 |
         static_cast<std::uint32_t>(address.bytes[14]) << 8 | address.bytes[15];
}

}  // namespace

PrefixSet::Wide PrefixSet::ToWide(const model::IpAddress& address) {
  Wide value = 0;
  for (std::uint8_t byte : address.bytes) value = value << 8 | byte;
  return value;
}

std::pair<PrefixSet::Wide, PrefixSet::Wide> PrefixSet::RangeOf(const model::IpPrefix& prefix) {
  Wide host = prefix.length >= 128 ? 0 : ~Wide{0} >> prefix.length;
  Wide first = ToWide(prefix.address) & ~host;
  return {first, first | host};
}

PrefixSet::PrefixSet(std::span<const model::IpPrefix> prefixes) {
  std::vector<std::pair<Wide, Wide>> ranges;
  ranges.reserve(prefixes.size());
  for (const model::IpPrefix& prefix : prefixes) ranges.push_back(RangeOf(prefix));
  std::sort(ranges.begin(), ranges.end());
  for (const auto& range : ranges) {
    bool joins = !wide_.empty() && (range.first <= wide_.back().second || range.first == wide_.back().second + 1);
    if (joins) {
      wide_.back().second = std::max(wide_.back().second, range.second);
    } else {
      wide_.push_back(range);
    }
  }
  constexpr Wide kFirst = Wide{0xffff} << 32, kLast = kFirst | std::numeric_limits<std::uint32_t>::max();
  for (const auto& range : wide_) {
    if (range.second < kFirst || range.first > kLast) continue;
    v4_.emplace_back(static_cast<std::uint32_t>(std::max(range.first, kFirst)),
                     static_cast<std::uint32_t>(std::min(range.second, kLast)));
  }
  if (v4_.empty()) return;
  v4_below_.resize(257);
  for (const auto& range : v4_) ++v4_below_[(range.first >> 24) + 1];
  std::partial_sum(v4_below_.begin(), v4_below_.end(), v4_below_.begin());
}

bool PrefixSet::Contains(const model::IpAddress& address) const {
  if (!address.IsV4()) return FindRange(wide_, ToWide(address), 0, wide_.size()) != nullptr;
  if (v4_.empty()) return false;
  std::uint32_t word = LowWord(address), first = word >> 24;
  return FindRange(v4_, word, v4_below_[first], v4_below_[first + 1]) != nullptr;
}

bool PrefixSet::ContainsAll(const model::IpPrefix& prefix) const {
  if (prefix.length >= 128) return Contains(prefix.address);
  auto [first, last] = RangeOf(prefix);
  const auto* range = FindRange(wide_, first, 0, wide_.size());
  return range && last <= range->second;
}

bool PrefixSet::Overlaps(const model::IpPrefix& prefix) const {
  if (prefix.length >= 128) return Contains(prefix.address);
  auto [first, last] = RangeOf(prefix);
  auto after = std::upper_bound(wide_.begin(), wide_.end(), last,
                                [](Wide v, const std::pair<Wide, Wide>& range) { return v < range.first; });
  return after != wide_.begin() && std::prev(after)->second >= first;
}

}  // namespace fleetward::detect
