// Whether a report is taken at all: the throttle and the memory of report ids of one thing (D14, D15). Belongs to
// whoever answers devices (ingest), because the answer comes before the engine sees the report. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fleetward/base/encoding.h"
#include "fleetward/base/time.h"

namespace fleetward::detect {

struct AdmissionOptions {
  /// detect.min_report_interval_seconds; 0: no throttle. Reports are taken from 295/300 of it on (agents jitter).
  std::int32_t min_report_interval_seconds = 300;
  /// Spooled reports a second and thing, outside the throttle (D15).
  std::int32_t max_spooled_per_second = 2;
};

enum class Admission : std::uint8_t { kAccept, kDuplicate, kThrottled };

/// Per thing: when it last reported, and its last 64 reports as 48 bits over id and body, 6 bytes each. Another report
/// of the same thing is taken for one of them once in 4 * 10^12.
class ReportAdmission {
 public:
  static constexpr std::size_t kRememberedReports = 64;

  /// Decides and, if accepted, remembers. `body_hash`: 64 bits over the payload as sent; the same id with another body
  /// is a new report. `spooled` reports count apart. A duplicate is to be answered `accepted` and not counted.
  Admission Decide(const AdmissionOptions& options, Timestamp time, std::uint64_t report_id, std::uint64_t body_hash,
                   bool spooled);

  void Save(ByteWriter& out) const;
  /// False when the bytes make no sense.
  bool Load(ByteReader& in);
  /// Decide will soon be called: a hint.
  void Prefetch() const { __builtin_prefetch(keys_.get() + next_); }

 private:
  using Key = std::array<std::uint8_t, 6>;
  static Key KeyOf(std::uint64_t report_id, std::uint64_t body_hash);
  bool Remembers(const Key& key) const;
  void Remember(const Key& key);
  void Reserve(std::size_t capacity);

  std::unique_ptr<Key[]> keys_;         // ring
  std::uint8_t size_ = 0, next_ = 0, capacity_ = 0;
  std::uint32_t spooled_in_second_ = 0;
  std::uint64_t greatest_id_ = 0;       // of all accepted ones: a greater one is new, whatever the ring says
  std::int64_t last_report_ms_ = INT64_MIN;
  std::int64_t last_spooled_second_ = INT64_MIN;
};

}  // namespace fleetward::detect
