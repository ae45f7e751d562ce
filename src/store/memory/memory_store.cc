#include "fleetward/store/memory_store.h"

#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace fleetward::store {
namespace {

using Entries = std::map<std::string, std::string, std::less<>>;

struct MemoryTable {
  Entries entries;
  std::map<std::string, std::vector<Change>, std::less<>> history;
};

struct AccountTables {
  std::map<std::string, MemoryTable, std::less<>> tables;
  std::uint64_t sequence = 0;
};

struct Range {
  Entries::const_iterator begin, end;
};

Range RangeOf(const Entries& entries, std::string_view from, std::string_view until) {
  Range range{entries.lower_bound(from), until.empty() ? entries.end() : entries.lower_bound(until)};
  if (!until.empty() && until <= from) range.end = range.begin;
  return range;
}

// Undoes in reverse order what a body changed before it failed.
struct Undo {
  std::string table, key;
  std::optional<std::string> value;
  bool history;
};

class MemoryTransaction final : public Transaction {
 public:
  MemoryTransaction(AccountTables& account, Timestamp now, std::string_view actor)
      : account_(account), now_(now), actor_(actor) {}

  Result<std::optional<std::string>> Get(const Table& table, std::string_view key) const override {
    const MemoryTable* found = Find(table);
    if (!found) return std::optional<std::string>();
    auto entry = found->entries.find(key);
    if (entry == found->entries.end()) return std::optional<std::string>();
    return std::optional<std::string>(entry->second);
  }

  Status Scan(const Table& table, std::string_view from, std::string_view until, const ScanFn& fn) const override {
    const MemoryTable* found = Find(table);
    if (!found) return {};
    // The body may change entries while it scans: step by key, not by iterator.
    std::string next(from);
    for (;;) {
      Range range = RangeOf(found->entries, next, until);
      if (range.begin == range.end) return {};
      std::string key = range.begin->first, value = range.begin->second;
      if (!fn(key, value)) return {};
      next = key + '\0';
    }
  }

  Status ScanDown(const Table& table, std::string_view from, std::string_view until,
                  const ScanFn& fn) const override {
    const MemoryTable* found = Find(table);
    if (!found) return {};
    std::string end(until);
    for (;;) {
      Range range = RangeOf(found->entries, from, end);
      if (range.begin == range.end) return {};
      --range.end;
      std::string key = range.end->first, value = range.end->second;
      if (!fn(key, value)) return {};
      if (key.empty()) return {};
      end = key;
    }
  }

  Status History(const Table& table, std::string_view key, const HistoryFn& fn) const override {
    const MemoryTable* found = Find(table);
    if (!found) return {};
    auto changes = found->history.find(key);
    if (changes == found->history.end()) return {};
    for (const Change& change : changes->second) {
      if (!fn(change)) return {};
    }
    return {};
  }

  Status HistoryUntil(const Table& table, Timestamp until,
                      const std::function<bool(std::string_view, const Change&)>& fn) const override {
    const MemoryTable* found = Find(table);
    if (!found) return {};
    for (const auto& [key, changes] : found->history) {
      for (const Change& change : changes) {
        if (change.at <= until && !fn(key, change)) return {};
      }
    }
    return {};
  }

  Status Put(const Table& table, std::string_view key, std::string_view value) override {
    Set(table, key, std::string(value));
    return {};
  }

  Status Erase(const Table& table, std::string_view key) override {
    const MemoryTable* found = Find(table);
    if (found && found->entries.contains(key)) Set(table, key, std::nullopt);
    return {};
  }

  Result<std::uint64_t> LastChange() const override { return account_.sequence; }

  void AfterCommit(std::function<void()> fn) override { after_.push_back(std::move(fn)); }

  void Rollback() {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
      MemoryTable& table = account_.tables[undo->table];
      if (undo->value) {
        table.entries[undo->key] = *undo->value;
      } else {
        table.entries.erase(undo->key);
      }
      if (undo->history) table.history[undo->key].pop_back();
    }
  }
  std::vector<std::function<void()>> TakeAfterCommit() { return std::move(after_); }

 private:
  const MemoryTable* Find(const Table& table) const {
    auto found = account_.tables.find(table.name);
    return found == account_.tables.end() ? nullptr : &found->second;
  }

  void Set(const Table& table, std::string_view key, std::optional<std::string> value) {
    MemoryTable& found = account_.tables[std::string(table.name)];
    auto entry = found.entries.find(key);
    Undo undo{std::string(table.name), std::string(key), std::nullopt, table.history};
    if (entry != found.entries.end()) undo.value = entry->second;
    undo_.push_back(std::move(undo));
    if (table.history) {
      found.history[std::string(key)].push_back(Change{++account_.sequence, now_, std::string(actor_), value});
    }
    if (value) {
      found.entries.insert_or_assign(std::string(key), std::move(*value));
    } else {
      found.entries.erase(entry);
    }
  }

  AccountTables& account_;
  Timestamp now_;
  std::string_view actor_;
  std::vector<Undo> undo_;
  std::vector<std::function<void()>> after_;
};

// `writer` keeps writers apart also while their AfterCommit calls run; `data` lets those calls read.
struct Shared {
  std::mutex writer;
  mutable std::shared_mutex data;
  std::map<model::AccountId, AccountTables> accounts;
};

class MemoryStore final : public ControlStore {
 public:
  MemoryStore(Shared& shared, AccountTables& account, const Clock& clock)
      : shared_(shared), account_(account), clock_(clock) {}

  Status Write(std::string_view actor, const WriteBody& body) override {
    std::lock_guard writer(shared_.writer);
    std::vector<std::function<void()>> after;
    {
      std::unique_lock data(shared_.data);
      MemoryTransaction tx(account_, clock_.Now(), actor);
      Status status = body(tx);
      if (!status.ok()) {
        tx.Rollback();
        return status;
      }
      after = tx.TakeAfterCommit();
    }
    for (auto& fn : after) fn();
    return {};
  }

  Status Read(const ReadBody& body) const override {
    std::shared_lock data(shared_.data);
    const MemoryTransaction view(account_, Timestamp{}, {});
    return body(view);
  }

 private:
  Shared& shared_;
  AccountTables& account_;
  const Clock& clock_;
};

class Database final : public MemoryDatabase {
 public:
  explicit Database(const Clock& clock) : clock_(clock) {}
  std::unique_ptr<ControlStore> Account(const model::AccountId& account) override {
    std::unique_lock data(shared_.data);
    return std::make_unique<MemoryStore>(shared_, shared_.accounts[account], clock_);
  }

 private:
  const Clock& clock_;
  Shared shared_;
};

}  // namespace

std::unique_ptr<MemoryDatabase> MemoryDatabase::Create(const Clock& clock) {
  return std::make_unique<Database>(clock);
}

}  // namespace fleetward::store
