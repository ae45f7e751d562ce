// Ordered byte rows in families, written in atomic batches and made durable by Flush: the home of everything that is
// derived from the event log (D21). No log of its own: after a crash the store is as some earlier batch left it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::store {

/// Index of a family in the list that the store was opened with.
using FamilyId = std::uint8_t;

/// How a family is used; the adapter tunes itself by it.
enum class FamilyUse : std::uint8_t {
  kRows,        // small mixed rows, updated in place
  kArrivals,    // rows in order of arrival, soon deleted; not compressed
  kBlocks,      // values that are compressed already, read whole
  kSlabs,       // large rows that are overwritten again and again
};

struct FamilySpec {
  std::string name;   // stored: never change it
  FamilyUse use = FamilyUse::kRows;
  /// Rows whose keys differ in so many first bytes come to lie in different files, so that DropRange between such
  /// prefixes rewrites nothing. 0: files are cut by size alone.
  std::size_t file_prefix_bytes = 0;
};

/// A list of changes that take effect together. Reusable; keeps its memory.
class Batch {
 public:
  enum class Op : std::uint8_t { kPut, kDelete, kDeleteRange };

  void Put(FamilyId family, std::string_view key, std::string_view value) { Add(Op::kPut, family, key, value); }
  void Delete(FamilyId family, std::string_view key) { Add(Op::kDelete, family, key, {}); }
  /// Deletes every key k with from <= k < until.
  void DeleteRange(FamilyId family, std::string_view from, std::string_view until) {
    Add(Op::kDeleteRange, family, from, until);
  }
  void Clear() {
    ops_.clear();
    bytes_.clear();
  }
  bool empty() const { return ops_.empty(); }
  std::size_t size() const { return ops_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  /// Adds the changes of `other` behind these.
  void Append(const Batch& other) {
    other.ForEach([this](Op op, FamilyId family, std::string_view a, std::string_view b) { Add(op, family, a, b); });
  }

  /// fn(Op, FamilyId, key or from, value or until), in order.
  template <class Fn>
  void ForEach(Fn&& fn) const {
    std::size_t at = 0;
    for (const Entry& e : ops_) {
      std::string_view all(bytes_);
      fn(e.op, e.family, all.substr(at, e.first), all.substr(at + e.first, e.second));
      at += e.first + e.second;
    }
  }

 private:
  struct Entry {
    Op op;
    FamilyId family;
    std::uint32_t first, second;  // lengths; the bytes lie in order in bytes_
  };
  void Add(Op op, FamilyId family, std::string_view a, std::string_view b) {
    ops_.push_back({op, family, static_cast<std::uint32_t>(a.size()), static_cast<std::uint32_t>(b.size())});
    bytes_.append(a).append(b);
  }
  std::vector<Entry> ops_;
  std::string bytes_;
};

/// Walks the rows of one family in key order. One thread. Must not outlive its view.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void Seek(std::string_view key) = 0;         // first row with key >= `key`
  virtual void SeekBefore(std::string_view key) = 0;   // last row with key < `key`
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;    // until the cursor moves
  virtual std::string_view value() const = 0;  // until the cursor moves
  /// An error ends the walk: Valid() is false and this says why.
  virtual Status status() const = 0;
};

/// All families as they were at one moment. Keep it briefly: it keeps old rows alive.
class View {
 public:
  virtual ~View() = default;
  virtual Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const = 0;
  /// Rows below `until` only, when that is not empty. `readahead`: for long walks.
  virtual std::unique_ptr<Cursor> NewCursor(FamilyId family, std::string_view until = {}, bool readahead = false) const = 0;
};

/// Thread-safe.
class BlockStore {
 public:
  virtual ~BlockStore() = default;

  /// Applies the batch at once; readers see all of it or nothing. Durable after a later Flush. Batches become durable
  /// in the order in which they were written, never one without its predecessors. Errors: kUnavailable (disk full;
  /// nothing was applied, try again), kIo.
  virtual Status Write(const Batch& batch) = 0;
  virtual Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const = 0;
  virtual std::unique_ptr<View> NewView() const = 0;

  /// Calls fn(key, value) for from <= key < until (until empty: to the end) until it returns false. Not for callbacks
  /// that throw.
  Status Scan(FamilyId family, std::string_view from, std::string_view until,
              const std::function<bool(std::string_view key, std::string_view value)>& fn) const;

  /// Everything written before the call survives a crash when this returns ok. Blocks. Errors: kUnavailable, kIo.
  virtual Status Flush() = 0;

  /// Gives back the space of a key range that nobody needs any more (expired days): whole files go at once and for
  /// good, so Flush first if something written before replaces them (recovery.md rule 8). Rows of the range that share a file
  /// with others are removed as well, which rewrites that file.
  virtual Status DropRange(FamilyId family, std::string_view from, std::string_view until) = 0;

  /// Gives back the space of deleted rows of a key range; changes no row. Blocks; background work.
  virtual Status CompactRange(FamilyId family, std::string_view from, std::string_view until) = 0;

  /// Tries to leave the read-only state after a background failure such as a full disk. Ok when writes work again or
  /// always did. Write calls it by itself, at most once a second.
  virtual Status Resume() = 0;

  virtual std::uint64_t disk_bytes() const = 0;
};

struct RocksOptions {
  std::string folder;
  std::vector<FamilySpec> families;
  /// Memory for rows that are not yet on disk, all families together; 0 = 128 MiB, less on a small file system.
  std::uint64_t write_buffer_bytes = 0;
  std::uint64_t cache_bytes = 64 << 20;
  int background_threads = 2;
};

/// Opens or makes the store. Families may be added to the list later, never removed or renamed. Errors: kIo,
/// kCorrupt, kUnavailable.
Result<std::unique_ptr<BlockStore>> OpenRocksStore(const RocksOptions& options);

/// The in-memory twin, which can also play a crash.
class MemoryBlockStore : public BlockStore {
 public:
  /// Loses everything that was written after the last Flush.
  virtual void Crash() = 0;
  /// While true, Write and Flush fail with kUnavailable.
  virtual void SetFull(bool full) = 0;
};
std::unique_ptr<MemoryBlockStore> MakeMemoryBlockStore(std::size_t families);

}  // namespace fleetward::store
