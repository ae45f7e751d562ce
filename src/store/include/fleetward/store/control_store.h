// The control plane's store: transactional, ordered key/value tables of one account. Adapters: SQLite
// (store/sqlite), memory (store/memory_store.h). Format and recovery: docs/storage-control-plane.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fleetward/base/result.h"
#include "fleetward/base/time.h"

namespace fleetward::store {

/// Names one table; define tables as constants of the service that owns them. Names are [a-z][a-z0-9_]{0,47} and
/// unique over all services. A table exists from its first write; an unknown one reads as empty.
struct Table {
  std::string_view name;
  bool history = false;  // every change is kept with its time and actor
};

/// One kept change of a key; no value means that the key was erased.
struct Change {
  std::uint64_t sequence = 0;  // grows with every change of the store
  Timestamp at{};
  std::string actor;
  std::optional<std::string> value;
};

/// Called with each entry; false ends the scan. The views live until the callback returns.
using ScanFn = std::function<bool(std::string_view key, std::string_view value)>;
using HistoryFn = std::function<bool(const Change&)>;

/// A consistent view of all tables. Belongs to the thread that runs the body it was handed to.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual Result<std::optional<std::string>> Get(const Table& table, std::string_view key) const = 0;
  /// Entries with from <= key < until in byte order; an empty `until` means to the end.
  virtual Status Scan(const Table& table, std::string_view from, std::string_view until, const ScanFn& fn) const = 0;
  /// The same range, from its end backwards.
  virtual Status ScanDown(const Table& table, std::string_view from, std::string_view until,
                          const ScanFn& fn) const = 0;
  /// The changes of one key of a table with history, oldest first. Empty for tables without.
  virtual Status History(const Table& table, std::string_view key, const HistoryFn& fn) const = 0;
  /// Every kept change of a table with history made up to and including `until`, by key, then by sequence: what
  /// rebuilds the table as it was at that time.
  virtual Status HistoryUntil(const Table& table, Timestamp until,
                              const std::function<bool(std::string_view key, const Change&)>& fn) const = 0;
};

/// A Reader that also sees and makes changes. Keys and values are any bytes.
class Transaction : public Reader {
 public:
  virtual Status Put(const Table& table, std::string_view key, std::string_view value) = 0;
  /// Erasing an absent key is no change.
  virtual Status Erase(const Table& table, std::string_view key) = 0;
  /// The sequence of the store's latest change that history keeps, this transaction's own included.
  virtual Result<std::uint64_t> LastChange() const = 0;
  /// Runs `fn` once the change is durable, before Write returns: on the writer's thread, in commit order over all
  /// callers. Not run when the body fails or the commit does. `fn` may Read, must not Write, and must be quick.
  virtual void AfterCommit(std::function<void()> fn) = 0;
};

/// Thread-safe. One object per account; objects of one database share its writer.
class ControlStore {
 public:
  using WriteBody = std::function<Status(Transaction&)>;
  using ReadBody = std::function<Status(const Reader&)>;

  virtual ~ControlStore() = default;

  /// Runs `body` alone among writers and returns once its changes are durable. A body that fails changes nothing
  /// and its error is returned; other callers whose changes share the commit are not affected. A body may run on
  /// another thread, at most once, and must not call Write or Read. `actor` goes into the history.
  /// Errors: the body's; kUnavailable when the disk is full or fails (nothing was changed; try again later).
  virtual Status Write(std::string_view actor, const WriteBody& body) = 0;

  /// Runs `body` on a snapshot, beside other readers and the writer. Must not be nested.
  virtual Status Read(const ReadBody& body) const = 0;

  Status Write(const WriteBody& body) { return Write("system", body); }
};

/// Write for bodies that yield a value: Result<T> body(Transaction&).
template <class T, class Body>
Result<T> WriteFor(ControlStore& store, std::string_view actor, Body&& body) {
  std::optional<T> value;
  Status status = store.Write(actor, [&](Transaction& tx) -> Status {
    Result<T> result = body(tx);
    if (!result.ok()) return std::move(result).error();
    value.emplace(std::move(result).value());
    return {};
  });
  if (!status.ok()) return std::move(status).error();
  return std::move(*value);
}

/// Read for bodies that yield a value: Result<T> body(const Reader&).
template <class T, class Body>
Result<T> ReadFor(const ControlStore& store, Body&& body) {
  std::optional<T> value;
  Status status = store.Read([&](const Reader& reader) -> Status {
    Result<T> result = body(reader);
    if (!result.ok()) return std::move(result).error();
    value.emplace(std::move(result).value());
    return {};
  });
  if (!status.ok()) return std::move(status).error();
  return std::move(*value);
}

}  // namespace fleetward::store
