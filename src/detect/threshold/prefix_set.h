// A set of IP prefixes compiled to disjoint ranges: a lookup is one binary search, of an IPv4 address among those of its
// first byte.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "fleetward/model/ip_address.h"

namespace fleetward::detect {

class PrefixSet {
 public:
  PrefixSet() = default;
  explicit PrefixSet(std::span<const model::IpPrefix> prefixes);

  bool Contains(const model::IpAddress& address) const;
  /// Every address of the prefix is in the set.
  bool ContainsAll(const model::IpPrefix& prefix) const;
  /// At least one address of the prefix is in the set.
  bool Overlaps(const model::IpPrefix& prefix) const;

 private:
  __extension__ using Wide = unsigned __int128;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> v4_;  // inclusive, ascending; the IPv4 part of wide_
  /// By an address's first byte: how many ranges of v4_ begin below it. The last entry counts all.
  std::vector<std::uint32_t> v4_below_;
  std::vector<std::pair<Wide, Wide>> wide_;                  // inclusive, ascending
  static Wide ToWide(const model::IpAddress& address);
  static std::pair<Wide, Wide> RangeOf(const model::IpPrefix& prefix);
};

}  // namespace fleetward::detect
