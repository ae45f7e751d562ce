// What the policy publisher handed out since it wrote the snapshot file (src/policy/snapshot_journal.h).
#pragma once

#include <cstddef>
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
  /// Writes and syncs one delta. After an error the journal ends there until the next snapshot.
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
  bool covering_ = false;  // the other file waits for a snapshot
  std::size_t bytes_ = 0;
  std::string record_;
};

}  // namespace fleetward::registry
