// Windows over delta metrics of reports (D4): each delta covers the time since the thing's previous report; a window
// of N closes with the first report at which at least 0.9 N are covered.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace fleetward::detect {

/// State of one window of one thing; part of the stored format.
struct DeltaWindow {
  std::int64_t sum = 0;
  std::uint32_t covered_ms = 0;
  std::uint32_t reserved = 0;

  struct Closed {
    std::int64_t value = 0;      // the sum, scaled to N when more than 1.1 N are covered
    std::int64_t covered_ms = 0;
    bool scaled = false;
  };

  /// Adds a delta that covers `covered` ms. Returns the closed window, which is then empty again.
  std::optional<Closed> Add(std::int64_t delta, std::int64_t covered, std::int64_t needed_ms) {
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    sum = delta > kMax - sum ? kMax : sum + delta;
    constexpr std::int64_t kMaxCovered = std::numeric_limits<std::uint32_t>::max();
    std::int64_t total = covered_ms + covered;
    covered_ms = static_cast<std::uint32_t>(total < kMaxCovered ? total : kMaxCovered);
    if (covered_ms * std::int64_t{10} < needed_ms * 9) return std::nullopt;
    Closed closed{sum, covered_ms, false};
    if (closed.covered_ms * 10 > needed_ms * 11) {
      double scaled = static_cast<double>(sum) * static_cast<double>(needed_ms) / static_cast<double>(covered_ms);
      closed.value = scaled < 9.2e18 ? static_cast<std::int64_t>(scaled + 0.5) : kMax;
      closed.scaled = true;
    }
    Reset();
    return closed;
  }

  void Reset() {
    sum = 0;
    covered_ms = 0;
  }
};
static_assert(sizeof(DeltaWindow) == 16);

/// A thing's reporting interval, learned from its reports, to tell a gap from a missed report.
///
/// A gap of more than two intervals (10 % more, for jitter) is a gap. The estimate follows longer intervals at once and
/// shorter ones by half a report, so a restarted agent's quick first report does not make the next one a gap.
inline bool IsGap(std::int64_t elapsed_ms, std::int64_t interval_ms) {
  constexpr std::int64_t kUnknownInterval = 300'000;  // the protocol's own (agent-protocol.md §3)
  std::int64_t interval = interval_ms > 0 ? interval_ms : kUnknownInterval;
  return elapsed_ms * 10 > interval * 22;
}
inline std::int64_t NextInterval(std::int64_t elapsed_ms, std::int64_t interval_ms) {
  return elapsed_ms > interval_ms / 2 ? elapsed_ms : interval_ms / 2;
}

}  // namespace fleetward::detect
