// The policy snapshot's file, mapped read-only (D20).
#pragma once

#include <cstdint>
#include <string>

#include "fleetward/base/result.h"
#include "fleetward/policy/snapshot_state.h"

namespace fleetward::plugin {

class SnapshotFile {
 public:
  explicit SnapshotFile(std::string path) : path_(std::move(path)) {}

  /// Maps the file, loads it into `state` and applies the deltas that the server kept beside it. Errors: kNotFound, kIo,
  /// and those of SnapshotState::Load; `state` keeps what it had.
  Status Load(policy::SnapshotState& state);
  /// Not ok when deltas are there that could not be read in the last Load: `state` may be older than what was answered.
  const Status& journal() const { return journal_; }

 private:
  std::string path_;
  Status journal_;
};

}  // namespace fleetward::plugin
