// Windows over the broker's counters (D3): a window of N s is the last N s of whole buckets, evaluated at a bucket's
// end. To bound the state, a window has at most 12 panes of one or more buckets and is evaluated at a pane's end; with
// buckets of 300 s every allowed duration has panes of one bucket.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

namespace fleetward::detect {

inline constexpr std::int64_t kMaxPanes = 12;

/// How a duration is cut.
struct PaneLayout {
  std::int64_t pane_ms = 0;
  std::int64_t panes = 1;

  static PaneLayout Of(std::int64_t duration_ms, std::int64_t bucket_ms) {
    std::int64_t buckets = std::max<std::int64_t>(duration_ms / bucket_ms, 1);
    std::int64_t per_pane = (buckets + kMaxPanes - 1) / kMaxPanes;
    return {per_pane * bucket_ms, std::max<std::int64_t>(buckets / per_pane, 1)};
  }
};

/// State of one window of one thing, followed by one counter per pane, the open one first; part of the stored format.
struct PaneWindow {
  std::uint16_t seen = 0;          // bit i: in pane i the thing was connected or had events
  std::uint8_t known = 0;          // closed panes, newest first, that were watched from end to end
  std::uint8_t open_partial = 0;   // the open pane was not watched from its start
  std::uint32_t reserved = 0;

  std::uint64_t* panes() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* panes() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }

  /// A thing that was never heard of before has had no events: its past is known.
  void StartKnown(std::int64_t count) { known = static_cast<std::uint8_t>(count - 1); }
  void StartPartial() {
    known = 0;
    open_partial = 1;
  }
  /// Time passed that nobody watched, or the clock stepped: what was counted so far counts no more.
  void Break(std::int64_t count) {
    std::fill_n(panes(), count, 0);
    seen = 0;
    StartPartial();
  }
  void Add(std::uint64_t delta) {
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    panes()[0] = delta > kMax - panes()[0] ? kMax : panes()[0] + delta;
  }
  std::int64_t Sum(std::int64_t count) const {
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    std::uint64_t sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum = std::min(sum + panes()[i], kMax);
    return static_cast<std::int64_t>(sum);
  }
  bool Complete(std::int64_t count) const { return open_partial == 0 && known >= count - 1; }
  /// Ends the open pane and opens the next.
  void Shift(std::int64_t count) {
    for (std::int64_t i = count - 1; i > 0; --i) panes()[i] = panes()[i - 1];
    panes()[0] = 0;
    known = open_partial ? 0 : static_cast<std::uint8_t>(std::min<std::int64_t>(known + 1, count - 1));
    open_partial = 0;
    seen = static_cast<std::uint16_t>((seen << 1) & ((1U << count) - 1));
  }
};
static_assert(sizeof(PaneWindow) == 8);

/// Sizes of the messages of one bucket; part of the stored format.
struct SizeWindow {
  std::uint64_t largest = 0;
  std::uint64_t smallest = 0;
  std::uint32_t messages = 0;      // 1: there were some
  std::uint32_t seen = 0;          // connected or had events

  void Add(std::uint64_t max_bytes, std::uint64_t min_bytes) {
    largest = messages ? std::max(largest, max_bytes) : max_bytes;
    smallest = messages ? std::min(smallest, min_bytes) : min_bytes;
    messages = 1;
  }
};
static_assert(sizeof(SizeWindow) == 24);

/// For how long a thing did not report; part of the stored format.
struct SilenceWindow {
  std::int64_t since_ms = 0;   // watched since; 0: not yet
};
static_assert(sizeof(SilenceWindow) == 8);

}  // namespace fleetward::detect
