#include "network_delta.h"

#include <limits>

namespace fleetward::agent {
namespace {

const InterfaceCounters* Find(const std::vector<InterfaceCounters>& all, const std::string& name, std::size_t hint) {
  if (hint < all.size() && all[hint].name == name) return &all[hint];  // the kernel's order hardly ever changes
  for (const InterfaceCounters& one : all) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

bool WentBack(const InterfaceCounters& now, const InterfaceCounters& before) {
  return now.bytes_in < before.bytes_in || now.packets_in < before.packets_in || now.bytes_out < before.bytes_out ||
         now.packets_out < before.packets_out;
}

std::int64_t Bounded(std::uint64_t value) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max() / 2;
  return static_cast<std::int64_t>(value < kMax ? value : kMax);
}

void Add(std::optional<std::int64_t>& to, const std::optional<std::int64_t>& value) {
  if (value) to = to.value_or(0) + *value;
}

void AddStats(report::NetworkStats& to, const report::NetworkStats& more) {
  Add(to.bytes_in, more.bytes_in);
  Add(to.bytes_out, more.bytes_out);
  Add(to.packets_in, more.packets_in);
  Add(to.packets_out, more.packets_out);
}

}  // namespace

std::string_view DeltaGapName(DeltaGap gap) {
  switch (gap) {
    case DeltaGap::kNone: return "none";
    case DeltaGap::kFirstSample: return "first sample";
    case DeltaGap::kCounterWentBack: return "counter went back";
    case DeltaGap::kInterfaceGone: return "interface gone";
    case DeltaGap::kCountersUnreadable: return "counters unreadable";
  }
  return "?";
}

bool NetworkDelta::Excluded(const std::string& name) const {
  for (const std::string& pattern : excluded_) {
    bool prefix = !pattern.empty() && pattern.back() == '*';
    if (prefix ? name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1)) : name == pattern) return true;
  }
  return false;
}

DeltaGap NetworkDelta::Advance(const std::vector<InterfaceCounters>& sample, report::NetworkStats& stats) {
  stats = {};
  DeltaGap gap = first_ ? DeltaGap::kFirstSample : DeltaGap::kNone;
  std::uint64_t in = 0, out = 0, packets_in = 0, packets_out = 0;
  for (std::size_t i = 0; i < previous_.size() && gap == DeltaGap::kNone; ++i) {
    const InterfaceCounters& before = previous_[i];
    if (Excluded(before.name)) continue;
    const InterfaceCounters* now = Find(sample, before.name, i);
    if (now == nullptr) {
      gap = DeltaGap::kInterfaceGone;
    } else if (WentBack(*now, before)) {
      gap = DeltaGap::kCounterWentBack;
    } else {
      in += now->bytes_in - before.bytes_in;
      out += now->bytes_out - before.bytes_out;
      packets_in += now->packets_in - before.packets_in;
      packets_out += now->packets_out - before.packets_out;
    }
  }
  first_ = false;
  previous_ = sample;
  if (gap == DeltaGap::kNone) {
    stats = {Bounded(in), Bounded(out), Bounded(packets_in), Bounded(packets_out)};
    AddStats(stats, carried_);
  }
  carried_ = {};
  return gap;
}

DeltaGap NetworkDelta::Unreadable(report::NetworkStats& stats) {
  stats = {};
  return DeltaGap::kCountersUnreadable;
}

void NetworkDelta::CarryOver(const report::NetworkStats& refused) { AddStats(carried_, refused); }

}  // namespace fleetward::agent
