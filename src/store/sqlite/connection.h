// One SQLite connection with its prepared statements. Belongs to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fleetward/base/result.h"

namespace fleetward::store::sqlite {

/// SQLITE_FULL and I/O failures are kUnavailable: the disk may heal (decision 45).
Error SqliteError(int code, std::string_view doing);
Error SqliteError(sqlite3* db, std::string_view doing);

struct StatementCloser {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, StatementCloser>;

class Connection;

/// A prepared statement taken from its connection's cache; goes back, reset, when destroyed. Bound bytes are not
/// copied: they must live until then.
class Statement {
 public:
  Statement(Connection& owner, std::vector<StatementHandle>& home, StatementHandle handle)
      : owner_(&owner), home_(&home), handle_(std::move(handle)) {}
  Statement(Statement&&) = default;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& Text(std::string_view value);
  Statement& Blob(std::string_view value);
  Statement& Null();
  Statement& Int(std::int64_t value);
  /// True when there is a row.
  Result<bool> Step();
  /// For statements without rows.
  Status Run();

  /// A column's bytes, valid until the next Step.
  std::string_view Bytes(int column) const;
  std::int64_t Integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  bool IsNull(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

 private:
  Connection* owner_;
  std::vector<StatementHandle>* home_;
  StatementHandle handle_;
  int next_ = 1;
};

class Connection {
 public:
  /// `cache_kib` is the page cache's size.
  static Result<std::unique_ptr<Connection>> Open(const std::string& path, int cache_kib);

  /// Statements are cached under their text.
  Result<Statement> Prepare(std::string_view sql);
  Status Execute(std::string_view sql);
  /// As Execute for one statement, prepared once: BEGIN, COMMIT and their like.
  Status Control(std::string_view sql);
  bool InTransaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }
  sqlite3* db() const { return db_.get(); }

 private:
  struct DbCloser {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unique_ptr<sqlite3, DbCloser> db_;
  std::unordered_map<std::string, std::vector<StatementHandle>, Hash, std::equal_to<>> idle_;
};

}  // namespace fleetward::store::sqlite
