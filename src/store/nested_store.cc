#include "fleetward/store/nested_store.h"

namespace fleetward::store {

Status NestedStore::Journal::Note(const Table& table, std::string_view key) {
  FW_ASSIGN(auto value, outer_.Get(table, key));
  undo_.push_back({table, std::string(key), std::move(value)});
  return {};
}

Status NestedStore::Journal::Put(const Table& table, std::string_view key, std::string_view value) {
  FW_TRY(Note(table, key));
  return outer_.Put(table, key, value);
}

Status NestedStore::Journal::Erase(const Table& table, std::string_view key) {
  FW_TRY(Note(table, key));
  return outer_.Erase(table, key);
}

Status NestedStore::Journal::BackTo(std::size_t changes, std::size_t after) {
  after_.resize(after);
  while (undo_.size() > changes) {
    Undo undo = std::move(undo_.back());
    undo_.pop_back();
    FW_TRY(undo.value ? outer_.Put(undo.table, undo.key, *undo.value) : outer_.Erase(undo.table, undo.key));
  }
  return {};
}

void NestedStore::Journal::Keep() {
  undo_.clear();
  for (auto& fn : after_) outer_.AfterCommit(std::move(fn));
  after_.clear();
}

Status NestedStore::Write(std::string_view, const WriteBody& body) {
  std::size_t changes = tx_.size(), after = tx_.after_size();
  Status done = body(tx_);
  if (!done.ok()) {
    FW_TRY(tx_.BackTo(changes, after));
    return done;
  }
  if (!in_row_) tx_.Keep();
  return {};
}

Status NestedStore::Row(const std::function<Status()>& body) {
  in_row_ = true;
  Status done = body();
  in_row_ = false;
  if (!done.ok()) {
    FW_TRY(tx_.BackTo(0, 0));
    return done;
  }
  tx_.Keep();
  return {};
}

}  // namespace fleetward::store
