// BlockStore in memory. Views share the tables; a write copies them first when a view or the flushed state holds them.
#include <map>
#include <mutex>
#include <utility>

#include "fleetward/store/block_store.h"

namespace fleetward::store {
namespace {

using Table = std::map<std::string, std::string, std::less<>>;
using Tables = std::vector<std::shared_ptr<Table>>;

class MemoryCursor : public Cursor {
 public:
  MemoryCursor(std::shared_ptr<const Table> table, std::string_view until)
      : table_(std::move(table)), end_(until.empty() ? table_->end() : table_->lower_bound(until)), at_(end_) {}

  void Seek(std::string_view key) override {
    at_ = table_->lower_bound(key);
    valid_ = at_ != table_->end() && (end_ == table_->end() || at_->first < end_->first);
  }
  void SeekBefore(std::string_view key) override {
    at_ = table_->lower_bound(key);
    if (end_ != table_->end() && (at_ == table_->end() || at_->first > end_->first)) at_ = end_;
    Prev();
  }
  bool Valid() const override { return valid_; }
  void Next() override { valid_ = ++at_ != end_; }
  void Prev() override {
    valid_ = at_ != table_->begin();
    if (valid_) --at_;
  }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }
  Status status() const override { return {}; }

 private:
  std::shared_ptr<const Table> table_;
  Table::const_iterator end_, at_;
  bool valid_ = false;
};

Result<std::optional<std::string>> Lookup(const Tables& tables, FamilyId family, std::string_view key) {
  auto found = tables[family]->find(key);
  if (found == tables[family]->end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

class MemoryView : public View {
 public:
  explicit MemoryView(Tables tables) : tables_(std::move(tables)) {}
  Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const override {
    return Lookup(tables_, family, key);
  }
  std::unique_ptr<Cursor> NewCursor(FamilyId family, std::string_view until, bool) const override {
    return std::make_unique<MemoryCursor>(tables_[family], until);
  }

 private:
  Tables tables_;
};

class MemoryStore : public MemoryBlockStore {
 public:
  explicit MemoryStore(std::size_t families) {
    for (std::size_t i = 0; i < families; ++i) tables_.push_back(std::make_shared<Table>());
    flushed_ = tables_;
  }

  Status Write(const Batch& batch) override {
    std::lock_guard lock(mutex_);
    if (full_) return Error(Code::kUnavailable, "the store is full");
    batch.ForEach([this](Batch::Op op, FamilyId family, std::string_view a, std::string_view b) {
      Table& table = Own(family);
      switch (op) {
        case Batch::Op::kPut: table.insert_or_assign(std::string(a), std::string(b)); break;
        case Batch::Op::kDelete:
          if (auto found = table.find(a); found != table.end()) table.erase(found);
          break;
        case Batch::Op::kDeleteRange:
          if (a < b) table.erase(table.lower_bound(a), table.lower_bound(b));
          break;
      }
    });
    return {};
  }
  Result<std::optional<std::string>> Get(FamilyId family, std::string_view key) const override {
    std::lock_guard lock(mutex_);
    return Lookup(tables_, family, key);
  }
  std::unique_ptr<View> NewView() const override {
    std::lock_guard lock(mutex_);
    return std::make_unique<MemoryView>(tables_);
  }
  Status Flush() override {
    std::lock_guard lock(mutex_);
    if (full_) return Error(Code::kUnavailable, "the store is full");
    flushed_ = tables_;
    return {};
  }
  Status DropRange(FamilyId family, std::string_view from, std::string_view until) override {
    Batch batch;
    batch.DeleteRange(family, from, until);
    return Write(batch);
  }
  Status CompactRange(FamilyId, std::string_view, std::string_view) override { return {}; }
  Status Resume() override {
    std::lock_guard lock(mutex_);
    return full_ ? Status(Error(Code::kUnavailable, "the store is full")) : Status();
  }
  std::uint64_t disk_bytes() const override {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& table : tables_) {
      for (const auto& [key, value] : *table) sum += key.size() + value.size();
    }
    return sum;
  }
  void Crash() override {
    std::lock_guard lock(mutex_);
    tables_ = flushed_;
  }
  void SetFull(bool full) override {
    std::lock_guard lock(mutex_);
    full_ = full;
  }

 private:
  Table& Own(FamilyId family) {
    if (tables_[family].use_count() > 1) tables_[family] = std::make_shared<Table>(*tables_[family]);
    return *tables_[family];
  }

  mutable std::mutex mutex_;
  Tables tables_, flushed_;
  bool full_ = false;
};

}  // namespace

std::unique_ptr<MemoryBlockStore> MakeMemoryBlockStore(std::size_t families) {
  return std::make_unique<MemoryStore>(families);
}

}  // namespace fleetward::store
