// Long lists are sampled so that a report stays small; its totals stay exact.
#pragma once

#include <cstdint>
#include <vector>

#include "fleetward/report/metric_report.h"

namespace fleetward::agent {

/// Picks at most `limit` entries at random, each equally likely, in place. Distinct values come first: a list that is
/// too long loses its duplicates before it loses a port or a remote address, because a detector judges the set.
class ListSampler {
 public:
  explicit ListSampler(std::uint64_t seed) : state_(seed) {}

  void Ports(std::vector<std::uint16_t>& ports, std::size_t limit);
  void Connections(std::vector<report::RemoteEndpoint>& connections, std::size_t limit);

 private:
  template <class Value>
  void Pick(std::vector<Value>& values, std::size_t limit);
  std::uint64_t Next();

  std::uint64_t state_;
  std::vector<std::uint32_t> slots_;  // open addressing: index + 1 of an address already kept
};

}  // namespace fleetward::agent
