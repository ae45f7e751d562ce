// The control store on SQLite: WAL, synchronous=FULL, one writer thread with group commit, pooled readers.
// Schema and recovery: docs/storage-control-plane.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "fleetward/base/clock.h"
#include "fleetward/base/result.h"
#include "fleetward/model/names.h"
#include "fleetward/store/control_store.h"

namespace fleetward::store::sqlite {

struct Options {
  std::string path;              // the database file; made with mode 0600 (as are -wal and -shm beside it)
  std::size_t max_readers = 8;   // concurrent Read calls; further ones wait
  std::size_t max_batch = 512;   // Write calls that share one commit at most
};

struct Stats {
  std::uint64_t commits = 0;         // synced commits
  std::uint64_t writes = 0;          // bodies that landed
  std::uint64_t failed_commits = 0;  // commits lost to a full or failing disk
};

/// Thread-safe. Must outlive its ControlStores; nobody may be inside Write or Read when it is destroyed.
class Database {
 public:
  /// Opens or makes the database and applies the migrations. `clock` gives the times of the history.
  /// Errors: kUnavailable (disk full), kIo, kCorrupt (not a database), kInvalidState (written by a newer release).
  static Result<std::unique_ptr<Database>> Open(const Options& options, const Clock& clock);
  virtual ~Database() = default;

  virtual std::unique_ptr<ControlStore> Account(const model::AccountId& account) = 0;
  virtual Stats stats() const = 0;
};

}  // namespace fleetward::store::sqlite
