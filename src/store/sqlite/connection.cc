#include "connection.h"

namespace fleetward::store::sqlite {
namespace {

Code CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM: return Code::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kCorrupt;
    default: return Code::kInternal;
  }
}

}  // namespace

Error SqliteError(int code, std::string_view doing) {
  return Error(CodeOf(code), std::string(doing) + ": " + sqlite3_errstr(code));
}

Error SqliteError(sqlite3* db, std::string_view doing) {
  return SqliteError(sqlite3_extended_errcode(db), doing).WithDetail(sqlite3_errmsg(db));
}

Statement::~Statement() {
  if (!handle_) return;
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  home_->push_back(std::move(handle_));
}

Statement& Statement::Text(std::string_view value) {
  sqlite3_bind_text64(handle_.get(), next_++, value.data() ? value.data() : "", value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::Blob(std::string_view value) {
  // A null pointer would bind NULL instead of no bytes.
  sqlite3_bind_blob64(handle_.get(), next_++, value.data() ? value.data() : "", value.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::Null() {
  sqlite3_bind_null(handle_.get(), next_++);
  return *this;
}

Statement& Statement::Int(std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), next_++, value);
  return *this;
}

Result<bool> Statement::Step() {
  int result = sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(owner_->db(), "accessing the control store");
}

Status Statement::Run() {
  FW_ASSIGN(bool row, Step());
  (void)row;
  return {};
}

std::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(handle_.get(), column);
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
  return bytes ? std::string_view(static_cast<const char*>(bytes), size) : std::string_view();
}

namespace {

// SQLite makes names absolute, and would then need to walk a path that the server's user may have no right to (a data
// folder below a 0700 one). This file system takes names as they are; the server never changes its working folder.
const char* PlainNames() {
  static sqlite3_vfs* const registered = [] {
    static sqlite3_vfs vfs;
    vfs = *sqlite3_vfs_find("unix");
    vfs.zName = "fleetward-plain-names";
    vfs.pNext = nullptr;
    vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* out) {
      return std::snprintf(out, static_cast<std::size_t>(size), "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
    };
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? &vfs : nullptr;
  }();
  return registered != nullptr ? registered->zName : nullptr;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& path, int cache_kib) {
  auto connection = std::make_unique<Connection>();
  sqlite3* db = nullptr;
  int result = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, PlainNames());
  connection->db_.reset(db);
  if (result != SQLITE_OK) return SqliteError(result, "opening " + path);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 10'000);
  FW_TRY(connection->Execute("PRAGMA page_size=8192"));
  FW_TRY(connection->Execute("PRAGMA journal_mode=WAL"));
  FW_TRY(connection->Execute("PRAGMA synchronous=FULL"));
  FW_TRY(connection->Execute("PRAGMA temp_store=MEMORY"));
  FW_TRY(connection->Execute("PRAGMA trusted_schema=OFF"));
  FW_TRY(connection->Execute("PRAGMA journal_size_limit=67108864"));
  FW_TRY(connection->Execute("PRAGMA cache_size=-" + std::to_string(cache_kib)));
  return connection;
}

Result<Statement> Connection::Prepare(std::string_view sql) {
  auto entry = idle_.find(sql);
  if (entry == idle_.end()) entry = idle_.emplace(std::string(sql), std::vector<StatementHandle>()).first;
  std::vector<StatementHandle>& home = entry->second;
  if (!home.empty()) {
    StatementHandle handle = std::move(home.back());
    home.pop_back();
    return Statement(*this, home, std::move(handle));
  }
  sqlite3_stmt* raw = nullptr;
  int result = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                  &raw, nullptr);
  if (result != SQLITE_OK) return SqliteError(db_.get(), "preparing a statement");
  return Statement(*this, home, StatementHandle(raw));
}

Status Connection::Execute(std::string_view sql) {
  std::string text(sql);
  if (sqlite3_exec(db_.get(), text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return SqliteError(db_.get(), "accessing the control store");
  }
  return {};
}

Status Connection::Control(std::string_view sql) {
  FW_ASSIGN(Statement statement, Prepare(sql));
  return statement.Run();
}

}  // namespace fleetward::store::sqlite
