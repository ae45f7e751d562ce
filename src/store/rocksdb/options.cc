#include "options.h"

#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "info_log.h"

namespace fleetward::store {

RocksOptions Resolve(RocksOptions options) {
  constexpr std::uint64_t kDefault = 128 << 20, kLeast = 2 << 20;
  if (options.write_buffer_bytes == 0) {
    options.write_buffer_bytes = kDefault;
    struct statvfs info {};
    if (statvfs(options.folder.c_str(), &info) == 0) {
      std::uint64_t total = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
      options.write_buffer_bytes = std::clamp(total / 32, kLeast, kDefault);
    }
  }
  return options;
}

rocksdb::DBOptions MakeDbOptions(const RocksOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.atomic_flush = true;  // without a log of its own, families must reach the disk together (recovery.md rule 1)
  db.db_write_buffer_size = options.write_buffer_bytes;
  db.max_background_jobs = options.background_threads;
  db.max_open_files = 512;
  db.avoid_flush_during_shutdown = true;  // Flush is explicit; closing on a full disk must not wait
  db.info_log = MakeInfoLog();
  db.max_manifest_file_size = 1 << 20;
  db.bytes_per_sync = 1 << 20;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(const FamilySpec& spec, const RocksOptions& options,
                                               const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16 << 10;
  table.format_version = 5;
  family.write_buffer_size = std::max<std::uint64_t>(1 << 20, options.write_buffer_bytes / 2);
  family.max_write_buffer_number = 3;
  family.target_file_size_base = std::clamp<std::uint64_t>(options.write_buffer_bytes / 2, 1 << 20, 32 << 20);
  family.max_bytes_for_level_base = 4 * family.target_file_size_base;
  family.level_compaction_dynamic_level_bytes = true;
  family.compression = rocksdb::kLZ4Compression;
  if (spec.file_prefix_bytes > 0) {
    family.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(spec.file_prefix_bytes);
  }
  switch (spec.use) {
    case FamilyUse::kRows:
      family.bottommost_compression = rocksdb::kZSTD;
      break;
    case FamilyUse::kArrivals:
      // Soon merged and deleted: rewriting it to keep levels tidy would cost more than reading a few more files, and
      // compressing it more than the space is worth.
      family.compression = rocksdb::kNoCompression;
      family.level0_file_num_compaction_trigger = 8;
      family.level0_slowdown_writes_trigger = 40;
      family.level0_stop_writes_trigger = 64;
      break;
    case FamilyUse::kBlocks:
      family.compression = rocksdb::kNoCompression;
      break;
    case FamilyUse::kSlabs:
      // Every round writes all of them anew. As blobs their bytes are written once, and go with the whole file when the
      // next round has replaced them; keeping levels tidy costs only the keys. Old versions of them go early.
      family.level0_file_num_compaction_trigger = 2;
      family.enable_blob_files = true;
      family.min_blob_size = 4 << 10;
      family.blob_file_size = family.target_file_size_base;
      // Only for what rounds leave behind: the oldest blobs are those that the round under way replaces first.
      family.enable_blob_garbage_collection = true;
      family.blob_garbage_collection_age_cutoff = 0.1;
      break;
  }
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

}  // namespace fleetward::store
