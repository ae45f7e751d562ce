// How RocksDB is tuned for what a family holds.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include <memory>

#include "fleetward/store/block_store.h"

namespace fleetward::store {

/// Fills in sizes that were left 0, by the file system of the folder.
RocksOptions Resolve(RocksOptions options);
rocksdb::DBOptions MakeDbOptions(const RocksOptions& options);
rocksdb::ColumnFamilyOptions MakeFamilyOptions(const FamilySpec& spec, const RocksOptions& options,
                                               const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace fleetward::store
