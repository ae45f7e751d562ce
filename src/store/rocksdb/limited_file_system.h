// RocksDB's file system, with one more errno understood: a file size limit (EFBIG) is a full disk, from which RocksDB
// can recover, instead of a broken one, from which it cannot.
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace fleetward::store {

std::unique_ptr<rocksdb::Env> MakeLimitAwareEnv();

}  // namespace fleetward::store
