// Reports that could not be delivered, kept on disk until the service has accepted them (D15). Bounded: the oldest
// goes first. One file per report, written by rename, so a crash leaves whole reports or none.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"
#include "fleetward/report/metric_report.h"

namespace fleetward::agent {

struct SpooledReport {
  std::uint64_t report_id = 0;
  report::Format format = report::Format::kJson;
  std::string payload;  // with spooled_at in its header
};

class Spool {
 public:
  /// Makes the folder (0700) and reads what is there; files that make no sense are removed and counted. Errors:
  /// kPermissionDenied (others could change the folder), kConflict (another agent uses it), kIo.
  static Result<Spool> Open(const std::string& folder, std::uint64_t max_bytes);

  /// Errors: kIo, kUnavailable (disk full), kInvalidArgument (the report alone exceeds the bound).
  Status Add(const SpooledReport& report);
  /// The oldest report, or nothing. A file that was damaged meanwhile is removed, counted and passed over.
  std::optional<SpooledReport> Oldest();
  void Remove(std::uint64_t report_id);

  std::size_t size() const { return entries_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t dropped() const { return dropped_; }      // to keep the bound
  std::uint64_t corrupt() const { return corrupt_; }
  std::uint64_t last_report_id() const { return last_report_id_; }

 private:
  struct Entry {
    std::uint64_t sequence, report_id, bytes;
  };
  Spool(std::string folder, std::uint64_t max_bytes) : folder_(std::move(folder)), max_bytes_(max_bytes) {}
  Status Load();
  std::string PathOf(const Entry& entry) const;
  void Forget(std::size_t index);

  std::string folder_;
  std::uint64_t max_bytes_;
  Fd lock_;
  std::deque<Entry> entries_;  // ascending by sequence
  std::uint64_t bytes_ = 0, next_sequence_ = 1, dropped_ = 0, corrupt_ = 0, last_report_id_ = 0;
};

/// The content of a spool file: magic and version, format, report id, payload, CRC-32 of all before it.
std::string EncodeSpoolFile(const SpooledReport& report);
/// Error: kCorrupt.
Result<SpooledReport> DecodeSpoolFile(std::string_view bytes);

}  // namespace fleetward::agent
