// Cumulative interface counters become the deltas that a report carries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collectors/collector.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::agent {

/// Why a report carries no `network_stats`. Never guess: a wrong delta is a false alarm or a missed one.
enum class DeltaGap {
  kNone,
  kFirstSample,        // there is nothing to subtract from
  kCounterWentBack,    // a wrap, a reboot (restored process), a driver that was loaded again
  kInterfaceGone,      // what it counted since the last sample is lost
  kCountersUnreadable,
};
std::string_view DeltaGapName(DeltaGap gap);

/// The sum over all interfaces, loopback included, as psutil and AWS's agent count (agent-protocol.md §6), without
/// those that match an excluded name. An interface that appears counts from its first sample on: what a moved
/// interface had counted elsewhere is not this machine's traffic.
class NetworkDelta {
 public:
  /// Patterns are names, with `*` as last character for a prefix ("veth*").
  explicit NetworkDelta(std::vector<std::string> excluded = {}) : excluded_(std::move(excluded)) {}

  /// Takes the next sample. `stats` holds all four members when the answer is kNone, and none otherwise.
  DeltaGap Advance(const std::vector<InterfaceCounters>& sample, report::NetworkStats& stats);
  /// The counters could not be read: the delta of the next sample spans the hole, which is true and honest.
  DeltaGap Unreadable(report::NetworkStats& stats);
  /// Puts the delta of a report that the service did not take on top of the next one.
  void CarryOver(const report::NetworkStats& refused);

 private:
  bool Excluded(const std::string& name) const;

  std::vector<std::string> excluded_;
  std::vector<InterfaceCounters> previous_;
  bool first_ = true;
  report::NetworkStats carried_;
};

}  // namespace fleetward::agent
