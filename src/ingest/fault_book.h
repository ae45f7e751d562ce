// The last faults of reports that never became records: kept in memory, shown by `fleetward status THING`.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/model/names.h"
#include "thing_state.h"

namespace fleetward::ingest {

/// Thread-safe. Bounded: beyond kMaxThings names, faults of new ones are not kept.
class FaultBook {
 public:
  static constexpr std::size_t kMaxThings = 10'000;

  void Add(const model::EntityId& entity, std::int64_t time_ms, std::string text) {
    std::lock_guard lock(mutex_);
    if (faults_.size() >= kMaxThings && !faults_.contains(entity)) return;
    auto& list = faults_[entity];
    std::erase_if(list, [&](const Fault& fault) { return fault.text == text; });
    if (list.size() == kMaxFaults) list.erase(list.begin());
    list.push_back({time_ms, std::move(text)});
  }
  std::vector<Fault> Of(const model::EntityId& entity) const {
    std::lock_guard lock(mutex_);
    auto found = faults_.find(entity);
    return found == faults_.end() ? std::vector<Fault>() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<model::EntityId, std::vector<Fault>> faults_;
};

}  // namespace fleetward::ingest
