// The store's tables as seen through one connection.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "connection.h"
#include "fleetward/store/control_store.h"

namespace fleetward::store::sqlite {

/// "account/table" of tables that are known to exist; the writer forgets them when anything is rolled back.
using KnownTables = std::set<std::string, std::less<>>;

class SqliteReader : public Transaction {
 public:
  SqliteReader(Connection& connection, std::string_view account) : connection_(connection), account_(account) {}

  Result<std::optional<std::string>> Get(const Table& table, std::string_view key) const override;
  Status Scan(const Table& table, std::string_view from, std::string_view until, const ScanFn& fn) const override;
  Status ScanDown(const Table& table, std::string_view from, std::string_view until,
                  const ScanFn& fn) const override;
  Status History(const Table& table, std::string_view key, const HistoryFn& fn) const override;
  Status HistoryUntil(const Table& table, Timestamp until,
                      const std::function<bool(std::string_view, const Change&)>& fn) const override;

  Status Put(const Table& table, std::string_view key, std::string_view value) override;
  Status Erase(const Table& table, std::string_view key) override;
  Result<std::uint64_t> LastChange() const override;
  void AfterCommit(std::function<void()> fn) override;

 protected:
  /// Nothing when the table does not exist yet.
  Result<std::optional<Statement>> Query(std::string_view table, std::string_view head,
                                         std::string_view tail) const;
  Status ScanRange(const Table& table, std::string_view from, std::string_view until, bool down,
                   const ScanFn& fn) const;

  Connection& connection_;
  std::string_view account_;
};

class SqliteTransaction final : public SqliteReader {
 public:
  SqliteTransaction(Connection& connection, std::string_view account, KnownTables& known, Timestamp now,
                    std::string_view actor)
      : SqliteReader(connection, account), known_(known), now_(now), actor_(actor) {}

  Status Put(const Table& table, std::string_view key, std::string_view value) override;
  Status Erase(const Table& table, std::string_view key) override;
  void AfterCommit(std::function<void()> fn) override { after_.push_back(std::move(fn)); }

  std::vector<std::function<void()>> TakeAfterCommit() { return std::move(after_); }
  /// A failure of the store itself, which the body may have swallowed: the whole commit must not go through.
  const std::optional<Error>& store_error() const { return store_error_; }

 private:
  Status EnsureTable(const Table& table);
  Status Note(const Table& table, std::string_view key, std::optional<std::string_view> value);
  Status Kept(Status status);

  KnownTables& known_;
  Timestamp now_;
  std::string_view actor_;
  std::vector<std::function<void()>> after_;
  std::optional<Error> store_error_;
};

}  // namespace fleetward::store::sqlite
