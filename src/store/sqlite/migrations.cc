#include "migrations.h"

#include <span>

namespace fleetward::store::sqlite {
namespace {

struct Migration {
  std::string_view what;
  std::string_view sql;
};

// Append only: the position + 1 is the version, and versions on disk never change their meaning.
constexpr Migration kMigrations[] = {
    {"first schema",
     "CREATE TABLE store_tables(account TEXT NOT NULL, name TEXT NOT NULL, history INTEGER NOT NULL,"
     " PRIMARY KEY(account, name)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE store_sequence(last INTEGER NOT NULL) STRICT;"
     "INSERT INTO store_sequence VALUES(0);"},
};

constexpr std::string_view kMigrationsTable =
    "CREATE TABLE IF NOT EXISTS migrations(version INTEGER PRIMARY KEY, what TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL) STRICT";

Status Apply(Connection& connection, int version, const Migration& migration, Timestamp now) {
  FW_TRY(connection.Execute(migration.sql));
  FW_ASSIGN(Statement note, connection.Prepare("INSERT INTO migrations VALUES(?, ?, ?)"));
  FW_TRY(note.Int(version).Text(migration.what).Int(ToMillis(now)).Run());
  return connection.Execute("PRAGMA user_version=" + std::to_string(version));
}

Result<int> VersionOf(Connection& connection) {
  FW_ASSIGN(Statement statement, connection.Prepare("PRAGMA user_version"));
  FW_ASSIGN(bool row, statement.Step());
  return row ? static_cast<int>(statement.Integer(0)) : 0;
}

}  // namespace

Status Migrate(Connection& connection, Timestamp now) {
  FW_ASSIGN(int version, VersionOf(connection));
  int newest = static_cast<int>(std::size(kMigrations));
  if (version > newest) {
    return Error(Code::kInvalidState, "the control store has schema version " + std::to_string(version) +
                                          ", this release knows versions up to " + std::to_string(newest));
  }
  for (; version < newest; ++version) {
    FW_TRY(connection.Execute("BEGIN IMMEDIATE"));
    Status applied = connection.Execute(kMigrationsTable);
    if (applied.ok()) applied = Apply(connection, version + 1, kMigrations[version], now);
    if (applied.ok()) applied = connection.Execute("COMMIT");
    if (!applied.ok()) {
      if (connection.InTransaction()) (void)connection.Execute("ROLLBACK");
      return std::move(applied).error().Prefixed("migrating the control store");
    }
  }
  return {};
}

}  // namespace fleetward::store::sqlite
