// The in-memory twin of the control store: for tests and throw-away servers.
#pragma once

#include <memory>

#include "fleetward/base/clock.h"
#include "fleetward/model/names.h"
#include "fleetward/store/control_store.h"

namespace fleetward::store {

class MemoryDatabase {
 public:
  /// `clock` gives the times of the history and must live longer.
  static std::unique_ptr<MemoryDatabase> Create(const Clock& clock);
  virtual ~MemoryDatabase() = default;
  /// One account's tables; the database must live longer. The same account gives the same tables.
  virtual std::unique_ptr<ControlStore> Account(const model::AccountId& account) = 0;
};

}  // namespace fleetward::store
