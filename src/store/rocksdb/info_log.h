// RocksDB's own log, into ours.
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace fleetward::store {

/// Errors become warnings, warnings become debug lines. RocksDB's default writes a file beside the data; once a write to
/// it has failed (a full disk), the next one aborts the process in builds with assertions, as Debian's is (7.8.3).
std::shared_ptr<rocksdb::Logger> MakeInfoLog();

}  // namespace fleetward::store
