// The things that one statistical behavior compares with each other: those that one target of its profile
// covers. A shard sums up its own things at a window's end; the sum over all shards comes back as a record of
// the log and holds for the next window (D7).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/encoding.h"
#include "fleetward/detect/ml.h"
#include "fleetward/detect/window_summary.h"
#include "statistical/summary.h"
#include "statistical/threshold.h"

namespace fleetward::detect {

/// What stands in a window's digest (see WindowDigest); the least names, so that parts merge in any order.
struct DigestPart {
  static constexpr std::size_t kNames = 10;
  std::uint64_t raised = 0;
  std::uint64_t cleared = 0;
  std::set<std::string> names;  // of raised ones

  bool empty() const { return raised == 0 && cleared == 0; }
  void Raise(std::string_view name);
  void Merge(const DigestPart& other);
  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);
};

/// ML behaviors: the things' surprises, and how far their models are.
struct ModelPart {
  ml::CohortWindow cohort;
  std::uint64_t series = 0, active = 0, expired = 0;
  std::uint64_t hundredths = 0;    // of percent of the values wanted, summed over the series
  std::int64_t started_s = 0;      // the earliest; 0: none
  std::int64_t refreshed_s = 0;    // the latest

  void Count(const ml::Summary& summary);
  void Merge(const ModelPart& other);
  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);
};

struct WindowPart {
  Summary summary;
  Summary alarmed;   // the part of it that things in alarm gave
  DigestPart digest;
  ModelPart models;

  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);
};

struct Population {
  static constexpr std::int64_t kNever = INT64_MIN;

  std::int64_t length_ms = 0;
  std::int32_t percentile = 0;
  bool upper = true;
  bool numbers = false;
  bool digest = false;
  bool model = false;            // of an ML behavior: windows are buckets, and there is no threshold
  std::int64_t asked_ms = kNever;  // EndsAt's last question, and answer
  bool ends_there = false;

  /// Of the last window that is known, and when that ended; kNever: none yet.
  Threshold threshold;
  std::int64_t threshold_end_ms = kNever;
  /// ML: what the last windows said.
  ml::CohortState peers;
  ModelPart models;
  /// Closed windows, by their end, whose sum over all shards has not come back.
  std::map<std::int64_t, WindowPart> closed;
  /// Transitions since the last window's end.
  DigestPart open_digest;

  WindowPart& Closed(std::int64_t end_ms) {
    // Each thing asks for it at the end of a window, nearly always for the latest.
    if (!closed.empty() && closed.rbegin()->first == end_ms) return closed.rbegin()->second;
    return closed.try_emplace(end_ms, WindowPart{Summary(numbers), Summary(numbers), {}, {}}).first->second;
  }
  /// Whether one of its windows ends there. Each thing asks at a bucket's end; a division is done for the first of them.
  bool EndsAt(std::int64_t boundary_ms) {
    if (boundary_ms != asked_ms) {
      asked_ms = boundary_ms;
      ends_there = boundary_ms % length_ms == 0;
    }
    return ends_there;
  }
  /// The threshold for a datapoint at `time_ms`: that of the window before its own, or of the one before
  /// that.
  bool Holds(std::int64_t time_ms) const {
    return threshold_end_ms != kNever && time_ms - threshold_end_ms <= 2 * length_ms;
  }
  void Save(ByteWriter& out) const;
  bool Load(ByteReader& in);
};

using Populations = std::map<PopulationKey, Population>;

}  // namespace fleetward::detect
