// What the policy publisher handed out since it wrote the snapshot file (src/policy/snapshot_journal.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fleetward/base/file.h"
#include "fleetward/base/result.h"

namespace fleetward::registry {

/// The caller serialises. Before Open there is none, and nothing to do.
class DeltaJournal {
 public:
  /// Empties both files, or makes them: 0600. To be called when the snapshot file holds all there is.
  Status Open(const std::string& snapshot_path);
  /// Writes and syncs one delta. After an error it is written before the next one. Errors: kUnavailable (no room), kIo;
  /// with too many that wait none is taken any more, until a snapshot holds all of them.
  Status Append(std::string_view delta);
  /// A snapshot of what was appended so far is being made: what follows goes to the other file. Not while the last
  /// snapshot failed: then both are still needed.
  void BeginSnapshot();
  /// It is written: what it covers is dropped.
  Status EndSnapshot();

  /// Of the file that grows.
  std::size_t bytes() const { return bytes_; }

 private:
  std::string path_;
  Fd files_[2];
  int current_ = 0;
  bool covering_ = false;     // the other file waits for a snapshot
  std::size_t bytes_ = 0;     // of the current file, whole records
  std::string waiting_;       // records that could not be written yet
  bool lost_ = false;         // some were given up
  std::uint64_t losses_ = 0;  // deltas refused since, and how many there were when the snapshot began
  std::uint64_t losses_covered_ = 0;
};

}  // namespace fleetward::registry
