// From edge frames to log records: names become things, payloads become reports. Malformed reports are answered here
// and go no further.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "fleetward/base/counters.h"
#include "fleetward/ingest/answers.h"
#include "fleetward/ingest/record.h"
#include "fleetward/registry/directory.h"
#include "fleetward/report/decode.h"
#include "fleetward/report/frames.h"
#include "fault_book.h"
#include "name_budget.h"

namespace fleetward::ingest {

/// What a Clock or Applied frame says to the edge loop; the rest becomes records.
struct FrameNews {
  std::int64_t clock_ms = 0;        // of a Clock frame; 0: none
  std::int64_t step_ms = 0;         // the edge's wall clock stepped
  std::uint64_t applied_version = 0;  // of an Applied frame that succeeded
  bool reload = false;              // an Applied frame that failed: the edge needs the whole file
};

/// One thread.
class FrameConverter {
 public:
  using Emit = std::function<void(const Record&)>;

  /// What is no record; none may block, any may be null.
  struct Listeners {
    std::function<void(const report::UnregisteredFrame&)> unregistered;
    std::function<void(const report::RetainedEntry&)> retained;
    std::function<void(const report::DoneFrame&)> done;
  };

  FrameConverter(const registry::Directory& directory, AnswerSink& answers, FaultBook& faults, Listeners listeners,
                 CounterRegistry& counters);

  /// Frames that will be converted next, at most kAnnounced of them: a hint that fetches what they need from memory.
  static constexpr std::size_t kAnnounced = 32;
  void Announce(std::span<const report::RawFrame> frames) const;
  /// Emits the records of one frame. Errors: kCorrupt (the edge does not speak our protocol).
  Result<FrameNews> Convert(const report::RawFrame& frame, const Emit& emit);

 private:
  Status OnReport(const report::RawFrame& raw, const Emit& emit);
  Status OnCounters(std::string_view body, const Emit& emit);
  Status OnConnected(std::string_view body, const Emit& emit);
  Status OnDisconnected(std::string_view body, const Emit& emit);
  Status OnRefused(std::string_view body, const Emit& emit);
  Status OnDropped(std::string_view body, const Emit& emit);
  Status OnClock(std::string_view body, const Emit& emit, FrameNews& news);
  Status OnApplied(std::string_view body, FrameNews& news);
  Status OnUnregistered(std::string_view body);
  Status OnRetained(std::string_view body);
  Status OnDone(std::string_view body);
  void Reject(const report::ReportFrame& frame, std::string_view reason);
  /// Nothing (a zero entity, counted) for names that are no things beyond what the certificate may have.
  registry::ResolvedThing Resolve(std::string_view client_id, std::string_view fingerprint);

  const registry::Directory& directory_;
  AnswerSink& answers_;
  FaultBook& faults_;
  Listeners listeners_;
  NameBudget names_;
  report::ReportDecoder decoder_;
  report::MetricReport report_;  // reused
  std::string body_;             // reused
  Counter& malformed_;
  Counter& dropped_reports_;
  Counter& dropped_counters_;
  Counter& discarded_;
  Counter& ignored_names_;
  std::array<Counter*, static_cast<std::size_t>(report::kLastRefusalReason) + 1> refusals_{};
};

}  // namespace fleetward::ingest
