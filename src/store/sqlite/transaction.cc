#include "transaction.h"

#include <algorithm>

namespace fleetward::store::sqlite {
namespace {

// Table names come from constants of our code; still, nothing else may reach the SQL text (threats.md w).
bool IsTableName(std::string_view name) {
  return !name.empty() && name.size() <= 48 && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::string SqlName(std::string_view table, bool history = false) {
  return "t_" + std::string(table) + (history ? "_history" : "");
}

Change ChangeOf(const Statement& row, int first) {
  Change change;
  change.sequence = static_cast<std::uint64_t>(row.Integer(first));
  change.at = FromMillis(row.Integer(first + 1));
  change.actor = row.Bytes(first + 2);
  if (!row.IsNull(first + 3)) change.value = std::string(row.Bytes(first + 3));
  return change;
}

constexpr std::string_view kChangeColumns = "seq, at, actor, value";

}  // namespace

Result<std::optional<Statement>> SqliteReader::Query(std::string_view sql_table, std::string_view head,
                                                     std::string_view tail) const {
  std::string sql(head);
  sql.append(sql_table).append(tail);
  auto statement = connection_.Prepare(sql);
  if (statement.ok()) return std::optional<Statement>(std::move(statement).value());
  FW_ASSIGN(Statement exists, connection_.Prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?"));
  FW_ASSIGN(bool found, exists.Text(sql_table).Step());
  if (!found) return std::optional<Statement>();
  return std::move(statement).error();
}

Result<std::optional<std::string>> SqliteReader::Get(const Table& table, std::string_view key) const {
  FW_ASSIGN(auto statement, Query(SqlName(table.name), "SELECT value FROM ", " WHERE account=? AND key=?"));
  if (!statement) return std::optional<std::string>();
  FW_ASSIGN(bool row, statement->Text(account_).Blob(key).Step());
  if (!row) return std::optional<std::string>();
  return std::optional<std::string>(std::string(statement->Bytes(0)));
}

Status SqliteReader::ScanRange(const Table& table, std::string_view from, std::string_view until, bool down,
                               const ScanFn& fn) const {
  std::string tail = " WHERE account=? AND key>=?";
  if (!until.empty()) tail += " AND key<?";
  tail += down ? " ORDER BY key DESC" : " ORDER BY key";
  FW_ASSIGN(auto statement, Query(SqlName(table.name), "SELECT key, value FROM ", tail));
  if (!statement) return {};
  statement->Text(account_).Blob(from);
  if (!until.empty()) statement->Blob(until);
  for (;;) {
    FW_ASSIGN(bool row, statement->Step());
    if (!row || !fn(statement->Bytes(0), statement->Bytes(1))) return {};
  }
}

Status SqliteReader::Scan(const Table& table, std::string_view from, std::string_view until,
                          const ScanFn& fn) const {
  return ScanRange(table, from, until, false, fn);
}

Status SqliteReader::ScanDown(const Table& table, std::string_view from, std::string_view until,
                              const ScanFn& fn) const {
  return ScanRange(table, from, until, true, fn);
}

Status SqliteReader::History(const Table& table, std::string_view key, const HistoryFn& fn) const {
  FW_ASSIGN(auto statement, Query(SqlName(table.name, true), "SELECT " + std::string(kChangeColumns) + " FROM ",
                                  " WHERE account=? AND key=? ORDER BY seq"));
  if (!statement) return {};
  statement->Text(account_).Blob(key);
  for (;;) {
    FW_ASSIGN(bool row, statement->Step());
    if (!row || !fn(ChangeOf(*statement, 0))) return {};
  }
}

Status SqliteReader::HistoryUntil(const Table& table, Timestamp until,
                                  const std::function<bool(std::string_view, const Change&)>& fn) const {
  FW_ASSIGN(auto statement,
            Query(SqlName(table.name, true), "SELECT key, " + std::string(kChangeColumns) + " FROM ",
                  " WHERE account=? AND at<=? ORDER BY key, seq"));
  if (!statement) return {};
  statement->Text(account_).Int(ToMillis(until));
  for (;;) {
    FW_ASSIGN(bool row, statement->Step());
    if (!row || !fn(statement->Bytes(0), ChangeOf(*statement, 1))) return {};
  }
}

Status SqliteReader::Put(const Table&, std::string_view, std::string_view) {
  return Error(Code::kInternal, "a reader cannot write");
}
Status SqliteReader::Erase(const Table&, std::string_view) { return Error(Code::kInternal, "a reader cannot write"); }
Result<std::uint64_t> SqliteReader::LastChange() const {
  FW_ASSIGN(Statement statement, connection_.Prepare("SELECT last FROM store_sequence"));
  FW_ASSIGN(bool row, statement.Step());
  if (!row) return Error(Code::kCorrupt, "the control store has lost its sequence");
  return static_cast<std::uint64_t>(statement.Integer(0));
}
void SqliteReader::AfterCommit(std::function<void()>) {}

Status SqliteTransaction::Kept(Status status) {
  if (!status.ok() && !store_error_) store_error_ = status.error();
  return status;
}

Status SqliteTransaction::EnsureTable(const Table& table) {
  std::string known = std::string(account_) + "/" + std::string(table.name);
  if (known_.contains(known)) return {};
  if (!IsTableName(table.name)) return Error(Code::kInternal, "bad table name " + std::string(table.name));
  std::string name = SqlName(table.name);
  FW_TRY(connection_.Execute("CREATE TABLE IF NOT EXISTS " + name +
                             "(account TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
                             " PRIMARY KEY(account, key)) STRICT, WITHOUT ROWID"));
  if (table.history) {
    FW_TRY(connection_.Execute("CREATE TABLE IF NOT EXISTS " + name +
                               "_history(account TEXT NOT NULL, key BLOB NOT NULL, seq INTEGER NOT NULL,"
                               " at INTEGER NOT NULL, actor TEXT NOT NULL, value BLOB,"
                               " PRIMARY KEY(account, key, seq)) STRICT, WITHOUT ROWID"));
  }
  FW_ASSIGN(Statement note, connection_.Prepare("INSERT OR IGNORE INTO store_tables VALUES(?, ?, ?)"));
  FW_TRY(note.Text(account_).Text(table.name).Int(table.history ? 1 : 0).Run());
  known_.insert(std::move(known));
  return {};
}

Status SqliteTransaction::Note(const Table& table, std::string_view key, std::optional<std::string_view> value) {
  if (!table.history) return {};
  FW_ASSIGN(Statement next, connection_.Prepare("UPDATE store_sequence SET last=last+1 RETURNING last"));
  FW_ASSIGN(bool row, next.Step());
  if (!row) return Error(Code::kCorrupt, "the control store has lost its sequence");
  std::int64_t sequence = next.Integer(0);
  FW_ASSIGN(Statement insert,
            connection_.Prepare("INSERT INTO " + SqlName(table.name, true) + " VALUES(?, ?, ?, ?, ?, ?)"));
  insert.Text(account_).Blob(key).Int(sequence).Int(ToMillis(now_)).Text(actor_);
  return (value ? insert.Blob(*value) : insert.Null()).Run();
}

Status SqliteTransaction::Put(const Table& table, std::string_view key, std::string_view value) {
  FW_TRY(Kept(EnsureTable(table)));
  FW_ASSIGN(Statement insert, connection_.Prepare("INSERT INTO " + SqlName(table.name) +
                                                  " VALUES(?, ?, ?) ON CONFLICT(account, key)"
                                                  " DO UPDATE SET value=excluded.value"));
  FW_TRY(Kept(insert.Text(account_).Blob(key).Blob(value).Run()));
  return Kept(Note(table, key, value));
}

Status SqliteTransaction::Erase(const Table& table, std::string_view key) {
  FW_TRY(Kept(EnsureTable(table)));
  FW_ASSIGN(Statement erase,
            connection_.Prepare("DELETE FROM " + SqlName(table.name) + " WHERE account=? AND key=?"));
  FW_TRY(Kept(erase.Text(account_).Blob(key).Run()));
  if (sqlite3_changes(connection_.db()) == 0) return {};
  return Kept(Note(table, key, std::nullopt));
}

}  // namespace fleetward::store::sqlite
