// A ControlStore inside of one open transaction of another: services that write one transaction a call take part in one
// large transaction. For bulk work; each row of it is all or nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fleetward/store/control_store.h"

namespace fleetward::store {

/// Lives inside the body of a Write; belongs to its thread.
class NestedStore final : public ControlStore {
 public:
  explicit NestedStore(Transaction& outer) : tx_(outer) {}

  /// Runs `body` on the outer transaction. When it fails, what it changed is put back. `actor` is not used: the outer
  /// Write names one.
  Status Write(std::string_view actor, const WriteBody& body) override;
  Status Read(const ReadBody& body) const override { return body(tx_); }
  using ControlStore::Write;

  /// Several Writes that stand or fall together: puts back what they changed unless `body` succeeds.
  Status Row(const std::function<Status()>& body);

 private:
  class Journal final : public Transaction {
   public:
    explicit Journal(Transaction& outer) : outer_(outer) {}
    Result<std::optional<std::string>> Get(const Table& table, std::string_view key) const override {
      return outer_.Get(table, key);
    }
    Status Scan(const Table& table, std::string_view from, std::string_view until, const ScanFn& fn) const override {
      return outer_.Scan(table, from, until, fn);
    }
    Status ScanDown(const Table& table, std::string_view from, std::string_view until,
                    const ScanFn& fn) const override {
      return outer_.ScanDown(table, from, until, fn);
    }
    Status History(const Table& table, std::string_view key, const HistoryFn& fn) const override {
      return outer_.History(table, key, fn);
    }
    Status HistoryUntil(const Table& table, Timestamp until,
                        const std::function<bool(std::string_view, const Change&)>& fn) const override {
      return outer_.HistoryUntil(table, until, fn);
    }
    Status Put(const Table& table, std::string_view key, std::string_view value) override;
    Status Erase(const Table& table, std::string_view key) override;
    Result<std::uint64_t> LastChange() const override { return outer_.LastChange(); }
    void AfterCommit(std::function<void()> fn) override { after_.push_back(std::move(fn)); }

    std::size_t size() const { return undo_.size(); }
    std::size_t after_size() const { return after_.size(); }
    Status BackTo(std::size_t changes, std::size_t after);
    void Keep();

   private:
    struct Undo {
      Table table;
      std::string key;
      std::optional<std::string> value;
    };
    Status Note(const Table& table, std::string_view key);

    Transaction& outer_;
    std::vector<Undo> undo_;
    std::vector<std::function<void()>> after_;
  };

  Journal tx_;
  bool in_row_ = false;
};

}  // namespace fleetward::store
