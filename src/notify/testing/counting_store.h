// For tests: what a service asks of its store.
#pragma once

#include <algorithm>

#include "fleetward/store/control_store.h"

namespace fleetward::notify {

/// Passes everything on and counts rows that scans looked at, and what was written in one transaction at most.
class CountingStore final : public store::ControlStore {
 public:
  explicit CountingStore(store::ControlStore& inner) : inner_(inner) {}
  Status Write(std::string_view actor, const WriteBody& body) override {
    return inner_.Write(actor, [&](store::Transaction& tx) {
      Counting counting(tx, seen);
      Status status = body(counting);
      most_written = std::max(most_written, counting.written);
      return status;
    });
  }
  Status Read(const ReadBody& body) const override { return inner_.Read(body); }
  using ControlStore::Write;

  std::size_t seen = 0, most_written = 0;

 private:
  class Counting final : public store::Transaction {
   public:
    Counting(store::Transaction& inner, std::size_t& seen) : inner_(inner), seen_(seen) {}
    Result<std::optional<std::string>> Get(const store::Table& table, std::string_view key) const override {
      return inner_.Get(table, key);
    }
    Status Scan(const store::Table& table, std::string_view from, std::string_view until,
                const store::ScanFn& fn) const override {
      return inner_.Scan(table, from, until, Counted(fn));
    }
    Status ScanDown(const store::Table& table, std::string_view from, std::string_view until,
                    const store::ScanFn& fn) const override {
      return inner_.ScanDown(table, from, until, Counted(fn));
    }
    Status History(const store::Table& table, std::string_view key, const store::HistoryFn& fn) const override {
      return inner_.History(table, key, fn);
    }
    Status HistoryUntil(const store::Table& table, Timestamp until,
                        const std::function<bool(std::string_view, const store::Change&)>& fn) const override {
      return inner_.HistoryUntil(table, until, fn);
    }
    Status Put(const store::Table& table, std::string_view key, std::string_view value) override {
      ++written;
      return inner_.Put(table, key, value);
    }
    Status Erase(const store::Table& table, std::string_view key) override {
      ++written;
      return inner_.Erase(table, key);
    }
    Result<std::uint64_t> LastChange() const override { return inner_.LastChange(); }
    void AfterCommit(std::function<void()> fn) override { inner_.AfterCommit(std::move(fn)); }

    std::size_t written = 0;

   private:
    store::ScanFn Counted(const store::ScanFn& fn) const {
      return [this, &fn](std::string_view key, std::string_view value) {
        ++seen_;
        return fn(key, value);
      };
    }
    store::Transaction& inner_;
    std::size_t& seen_;
  };
  store::ControlStore& inner_;
};

}  // namespace fleetward::notify
