// BlockStore over RocksDB without its write-ahead log.
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "fleetward/store/block_store.h"
#include "limited_file_system.h"
#include "options.h"

namespace fleetward::store {
namespace {

/// RocksDB wants a pointer even of nothing.
rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.empty() ? "" : bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error ToError(const rocksdb::Status& status, std::string_view doing) {
  Code code = Code::kIo;
  if (status.IsNoSpace() || status.IsIncomplete() || status.IsBusy() || status.IsTryAgain()) code = Code::kUnavailable;
  if (status.IsCorruption()) code = Code::kCorrupt;
  std::string text = status.ToString();
  // RLIMIT_FSIZE is a full disk of its own kind; RocksDB has no code for it.
  if (text.find("File too large") != std::string::npos) code = Code::kUnavailable;
  return Error(code, std::string(doing) + (code == Code::kUnavailable ? ": the disk is full" : " failed")).WithDetail(text);
}

/// Knows whether RocksDB has stopped to write. Called from its threads.
class Health : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (!failed_.exchange(true)) log::Warning("store.background_error", {{"error", status->ToString()}});
  }
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    if (info.new_bg_error.ok()) Healed();
  }
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    if (info.cf_name != rocksdb::kDefaultColumnFamilyName) return;
    std::lock_guard lock(mutex_);
    flushed_ = std::max(flushed_, info.largest_seqno);
    changed_.notify_all();
  }
  /// Whether a flush that holds a marker written after `before` was installed.
  bool WaitForFlush(rocksdb::SequenceNumber before) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return flushed_ > before; });
  }
  void Healed() {
    if (failed_.exchange(false)) log::Info("store.background_error_healed");
  }
  bool failed() const { return failed_.load(); }

 private:
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  rocksdb::SequenceNumber flushed_ = 0;
};

class RocksCursor : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const rocksdb::Snapshot* snapshot,
              std::string_view until, bool readahead)
      : until_(until), upper_(until_) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    if (!until_.empty()) options.iterate_upper_bound = &upper_;
    if (readahead) {
      options.readahead_size = 2 << 20;
      options.fill_cache = false;
    }
    iterator_.reset(db.NewIterator(options, family));
  }
  void Seek(std::string_view key) override { iterator_->Seek(ToSlice(key)); }
  void SeekBefore(std::string_view key) override {
    // With an upper bound RocksDB may not seek behind it.
    std::string_view target = !until_.empty() && key > until_ ? std::string_view(until_) : key;
    iterator_->SeekForPrev(ToSlice(target));
    if (iterator_->Valid() && ToView(iterator_->key()) >= target) iterator_->Prev();
  }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }
  Status status() const override {
    rocksdb::Status status = iterator_->status();
    return status.ok() ? Status() : Status(ToError(status, "reading the store"));
  }

 private:
  std::string until_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksStore : public BlockStore {
 public:
  explicit RocksStore(RocksOptions options) : options_(std::move(options)), health_(std::make_shared<Health>()) {}
  ~RocksStore() override {
    if (!db_) return;
    for (auto* handle : all_) db_->DestroyColumnFamilyHandle(handle);
    // Close waits for a recovery from a full disk that waits for a flush, which closing has stopped: that must end first.
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
    rocksdb::Status closed = db_->Close();
    if (!closed.ok()) log::Warning("store.close_failed", {{"error", closed.ToString()}});
  }

  Status Open() {
    rocksdb::DBOptions db_options = MakeDbOptions(options_);
    db_options.env = env_.get();
    db_options.listeners.push_back(health_);
    auto cache = rocksdb::NewLRUCache(options_.cache_bytes);
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                          MakeFamilyOptions({}, options_, cache));
    for (const FamilySpec& spec : options_.families) {
      families.emplace_back(spec.name, MakeFamilyOptions(spec, options_, cache));
    }
    rocksdb::DB* db = nullptr;
    rocksdb::Status opened = rocksdb::DB::Open(db_options, options_.folder, families, &all_, &db);
    if (!opened.ok()) return ToError(opened, "opening " + options_.folder);
    db_.reset(db);
    families_.assign(all_.begin() + 1, all_.end());
    return {};
  }

  Status Write(const Batch& batch) override {
    if (batch.empty()) return {};
    if (health_->failed()) FW_TRY(ResumeNowAndThen());
    rocksdb::WriteBatch rows(batch.bytes() + batch.size() * 16);
    rocksdb::Status built;
    batch.ForEach([&](Batch::Op op, FamilyId family, std::string_view a, std::string_view b) {
      rocksdb::Status added;
      switch (op) {
        case Batch::Op::kPut: added = rows.Put(families_[family], ToSlice(a), ToSlice(b)); break;
        case Batch::Op::kDelete: added = rows.Delete(families_[family], ToSlice(a)); break;
        case Batch::Op::kDeleteRange: added = rows.DeleteRange(families_[family], ToSlice(a), ToSlice(b)); break;
      }
      if (!added.ok()) built = added;
    });
    if (!built.ok()) return ToError(built, "building a batch");
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    options.no_slowdown = true;  // a full disk must not hold the shard's thread
    for (int attempt = 0;; ++attempt) {
      rocksdb::Status written = db_->Write(options, &rows);
      if (written.ok()) return {};
      // Merely behind with flushing: wait for it, that is the back-pressure.
      if (!written.IsIncomplete() || health_->failed() || attempt >= 1000) return ToError(written, "writing to the store");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const override {
    return Get(nullptr, family, key);
  }
  Result<std::optional<std::string>> Get(const rocksdb::Snapshot* snapshot, FamilyId family,
                                         std::string_view key) const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    std::string value;
    rocksdb::Status got = db_->Get(options, families_[family], ToSlice(key), &value);
    if (got.IsNotFound()) return std::optional<std::string>();
    if (!got.ok()) return ToError(got, "reading the store");
    return std::optional<std::string>(std::move(value));
  }

  std::unique_ptr<View> NewView() const override { return std::make_unique<RocksView>(*this); }

  Status Flush() override {
    if (health_->failed()) FW_TRY(Resume());
    // Families are flushed together, so a marker that reached the disk proves that everything before it did. Flush's own
    // word is not enough: around background errors it returns ok without having flushed (seen with RocksDB 7.8.3).
    rocksdb::SequenceNumber before = db_->GetLatestSequenceNumber();
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    write.no_slowdown = true;
    rocksdb::Status marked = db_->Put(write, all_[0], "flush", "");
    if (!marked.ok() && !marked.IsIncomplete()) return ToError(marked, "flushing the store");
    rocksdb::FlushOptions options;
    options.wait = true;
    options.allow_write_stall = true;
    rocksdb::Status flushed = db_->Flush(options, all_);
    if (!flushed.ok()) return ToError(flushed, "flushing the store");
    if (!health_->WaitForFlush(before)) return Error(Code::kUnavailable, "the store could not be flushed");
    return {};
  }

  Status DropRange(FamilyId family, std::string_view from, std::string_view until) override {
    if (from >= until) return {};
    rocksdb::Slice begin = ToSlice(from), end = ToSlice(until);
    rocksdb::Status dropped = rocksdb::DeleteFilesInRange(db_.get(), families_[family], &begin, &end, false);
    if (!dropped.ok()) return ToError(dropped, "dropping files");
    RocksCursor left(*db_, families_[family], nullptr, until, false);
    left.Seek(from);
    FW_TRY(left.status());
    if (!left.Valid()) return {};
    Batch rest;
    rest.DeleteRange(family, from, until);
    FW_TRY(Write(rest));
    // The newest files are in a level from which files are not dropped.
    return CompactRange(family, from, until);
  }

  Status CompactRange(FamilyId family, std::string_view from, std::string_view until) override {
    rocksdb::Slice begin = ToSlice(from), end = ToSlice(until);
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    rocksdb::Status compacted = db_->CompactRange(options, families_[family], &begin, &end);
    return compacted.ok() ? Status() : Status(ToError(compacted, "compacting"));
  }

  Status Resume() override {
    rocksdb::Status resumed = db_->Resume();
    if (!resumed.ok()) return ToError(resumed, "resuming the store");
    health_->Healed();
    return {};
  }

  std::uint64_t disk_bytes() const override {
    std::uint64_t sum = 0;
    for (auto* family : families_) {
      for (const std::string& property :
           {rocksdb::DB::Properties::kTotalSstFilesSize, rocksdb::DB::Properties::kTotalBlobFileSize}) {
        std::uint64_t bytes = 0;
        if (db_->GetIntProperty(family, property, &bytes)) sum += bytes;
      }
    }
    return sum;
  }

 private:
  class RocksView : public View {
   public:
    explicit RocksView(const RocksStore& store) : store_(store), snapshot_(store.db_->GetSnapshot()) {}
    ~RocksView() override { store_.db_->ReleaseSnapshot(snapshot_); }
    Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const override {
      return store_.Get(snapshot_, family, key);
    }
    std::unique_ptr<Cursor> NewCursor(FamilyId family, std::string_view until, bool readahead) const override {
      return std::make_unique<RocksCursor>(*store_.db_, store_.families_[family], snapshot_, until, readahead);
    }

   private:
    const RocksStore& store_;
    const rocksdb::Snapshot* snapshot_;
  };

  Status ResumeNowAndThen() {
    {
      std::lock_guard lock(resume_mutex_);
      auto now = std::chrono::steady_clock::now();
      if (now - last_resume_ < std::chrono::seconds(1)) return Error(Code::kUnavailable, "the disk is full");
      last_resume_ = now;
    }
    return Resume();
  }

  RocksOptions options_;
  std::unique_ptr<rocksdb::Env> env_ = MakeLimitAwareEnv();
  std::shared_ptr<Health> health_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> all_, families_;
  std::mutex resume_mutex_;
  std::chrono::steady_clock::time_point last_resume_{};
};

}  // namespace

Result<std::unique_ptr<BlockStore>> OpenRocksStore(const RocksOptions& options) {
  FW_TRY(MakeDirs(options.folder, 0700));
  auto store = std::make_unique<RocksStore>(Resolve(options));
  FW_TRY(store->Open());
  return std::unique_ptr<BlockStore>(std::move(store));
}

}  // namespace fleetward::store
