#include "fleetward/store/sqlite/database.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "connection.h"
#include "fleetward/base/file.h"
#include "fleetward/base/log.h"
#include "migrations.h"
#include "transaction.h"

namespace fleetward::store::sqlite {
namespace {

constexpr int kWriterCacheKib = 32 * 1024;
constexpr int kReaderCacheKib = 4 * 1024;

// A caller waiting in Write. Lives on the caller's stack; the writer touches it until `done`.
struct Request {
  std::string_view account, actor;
  const ControlStore::WriteBody* body;
  Status status;
  std::vector<std::function<void()>> after;
  bool done = false;
};

class ReaderPool {
 public:
  ReaderPool(std::string path, std::size_t max) : path_(std::move(path)), free_(max) {}

  Result<std::unique_ptr<Connection>> Take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return free_ > 0; });
    --free_;
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    lock.unlock();
    auto opened = Connection::Open(path_, kReaderCacheKib);
    if (!opened.ok()) Give(nullptr);
    return opened;
  }

  /// Null when the connection is not worth keeping.
  void Give(std::unique_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    ++free_;
    if (connection) idle_.push_back(std::move(connection));
    returned_.notify_one();
  }

 private:
  const std::string path_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::size_t free_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(const Options& options, const Clock& clock, std::unique_ptr<Connection> connection)
      : options_(options), clock_(clock), connection_(std::move(connection)),
        readers_(options.path, options.max_readers), writer_([this] { RunWriter(); }) {}

  ~SqliteDatabase() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    writer_.join();
  }

  std::unique_ptr<ControlStore> Account(const model::AccountId& account) override;
  Stats stats() const override { return {commits_.load(), writes_.load(), failed_commits_.load()}; }

  Status Write(std::string_view account, std::string_view actor, const ControlStore::WriteBody& body) {
    Request request{account, actor, &body, {}, {}, false};
    std::unique_lock lock(mutex_);
    queue_.push_back(&request);
    wake_.notify_one();
    landed_.wait(lock, [&] { return request.done; });
    return std::move(request.status);
  }

  Status Read(std::string_view account, const ControlStore::ReadBody& body) {
    FW_ASSIGN(auto connection, readers_.Take());
    Status status = connection->Control("BEGIN");
    if (status.ok()) {
      status = body(SqliteReader(*connection, account));
      if (connection->InTransaction()) (void)connection->Control("ROLLBACK");
    }
    // A connection that met an I/O error may hold a broken view: open a fresh one next time.
    bool keep = status.ok() || status.error().code() != Code::kUnavailable;
    readers_.Give(keep ? std::move(connection) : nullptr);
    return status;
  }

 private:
  void RunWriter() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      std::vector<Request*> batch;
      while (!queue_.empty() && batch.size() < options_.max_batch) {
        batch.push_back(queue_.front());
        queue_.pop_front();
      }
      lock.unlock();
      std::size_t ran = RunBatch(batch);
      lock.lock();
      // What did not run (the transaction died before) keeps its place at the head.
      for (std::size_t i = batch.size(); i-- > ran;) queue_.push_front(batch[i]);
      for (std::size_t i = 0; i < ran; ++i) batch[i]->done = true;
      landed_.notify_all();
    }
  }

  // Runs and commits the batch; returns how many requests have their answer (at least one).
  std::size_t RunBatch(std::vector<Request*>& batch) {
    Status begun = Begin();
    if (!begun.ok()) {
      Fail(batch, batch.size(), begun.error());
      return batch.size();
    }
    std::size_t ran = 0;
    while (ran < batch.size()) {
      Status alive = RunOne(*batch[ran], ran == 0);
      ++ran;
      if (!alive.ok()) {
        Fail(batch, ran, alive.error());
        return ran;
      }
    }
    Status committed = connection_->Control("COMMIT");
    if (!committed.ok()) {
      Fail(batch, ran, committed.error());
      return ran;
    }
    ++commits_;
    for (Request* request : batch) {
      if (!request->status.ok()) continue;
      ++writes_;
      for (auto& fn : request->after) fn();
    }
    return ran;
  }

  Status Begin() {
    if (!connection_) {
      FW_ASSIGN(connection_, Connection::Open(options_.path, kWriterCacheKib));
    }
    Status begun = connection_->Control("BEGIN IMMEDIATE");
    if (!begun.ok()) connection_.reset();
    return begun;
  }

  // An error means that the whole transaction is lost; a body's own failure only shows in its request. The first request
  // needs no savepoint, there is nothing before it to keep. Inside of one, SQLite walks all its changes at the end of
  // each statement, so that a request's cost would grow with the square of its size.
  Status RunOne(Request& request, bool first) {
    if (!first) FW_TRY(connection_->Control("SAVEPOINT request"));
    SqliteTransaction tx(*connection_, request.account, known_, clock_.Now(), request.actor);
    request.status = (*request.body)(tx);
    if (tx.store_error()) return *tx.store_error();
    if (!connection_->InTransaction()) return Error(Code::kUnavailable, "the control store lost its transaction");
    if (!request.status.ok()) {
      known_.clear();
      FW_TRY(connection_->Control(first ? "ROLLBACK" : "ROLLBACK TO request"));
      if (first) return Begin();
    } else {
      request.after = tx.TakeAfterCommit();
    }
    return first ? Status() : connection_->Control("RELEASE request");
  }

  // Takes the first `count` requests' changes back. A body's own error stays its answer.
  void Fail(std::vector<Request*>& batch, std::size_t count, const Error& error) {
    ++failed_commits_;
    known_.clear();
    log::Error("control_store_commit_failed", {{"error", error.ToString()}, {"requests", count}});
    for (std::size_t i = 0; i < count; ++i) {
      batch[i]->after.clear();
      if (batch[i]->status.ok()) batch[i]->status = error;
    }
    if (connection_ && connection_->InTransaction()) (void)connection_->Control("ROLLBACK");
    // After an I/O error the connection starts afresh, so that service heals with the disk (decision 45).
    connection_.reset();
  }

  const Options options_;
  const Clock& clock_;
  std::unique_ptr<Connection> connection_;  // the writer's
  KnownTables known_;
  ReaderPool readers_;
  std::atomic<std::uint64_t> commits_{0}, writes_{0}, failed_commits_{0};

  std::mutex mutex_;
  std::condition_variable wake_, landed_;
  std::deque<Request*> queue_;
  bool stopping_ = false;
  std::thread writer_;
};

class AccountStore final : public ControlStore {
 public:
  AccountStore(SqliteDatabase& database, const model::AccountId& account)
      : database_(database), account_(account.value()) {}
  Status Write(std::string_view actor, const WriteBody& body) override {
    return database_.Write(account_, actor, body);
  }
  Status Read(const ReadBody& body) const override { return database_.Read(account_, body); }

 private:
  SqliteDatabase& database_;
  const std::string account_;
};

std::unique_ptr<ControlStore> SqliteDatabase::Account(const model::AccountId& account) {
  return std::make_unique<AccountStore>(*this, account);
}

// SQLite gives -wal and -shm the mode of the database file.
Status MakePrivateFile(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid() || fchmod(fd.get(), 0600) != 0) return ErrnoError(errno, "opening " + path);
  return {};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const Options& options, const Clock& clock) {
  FW_TRY(MakePrivateFile(options.path));
  FW_ASSIGN(auto connection, Connection::Open(options.path, kWriterCacheKib));
  FW_TRY(Migrate(*connection, clock.Now()));
  return std::unique_ptr<Database>(
      std::make_unique<SqliteDatabase>(options, clock, std::move(connection)));
}

}  // namespace fleetward::store::sqlite
