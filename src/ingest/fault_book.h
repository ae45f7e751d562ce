// The last faults of reports that never became records: kept in memory, shown by `fleetward status THING`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fleetward/base/time.h"
#include "fleetward/model/names.h"
#include "thing_state.h"

namespace fleetward::ingest {

/// Thread-safe. Bounded: with more than kMaxThings names, those go whose last fault is the oldest.
class FaultBook {
 public:
  static constexpr std::size_t kMaxThings = 10'000;

  void Add(const model::EntityId& entity, std::int64_t time_ms, std::string text) {
    std::lock_guard lock(mutex_);
    auto known = things_.find(entity);
    if (known != things_.end()) {
      newest_last_.splice(newest_last_.end(), newest_last_, known->second);
    } else {
      if (things_.size() == kMaxThings) {
        things_.erase(newest_last_.front().entity);
        newest_last_.pop_front();
      }
      newest_last_.push_back({entity, {}});
      things_.emplace(entity, std::prev(newest_last_.end()));
    }
    KeepFault(newest_last_.back().faults, time_ms, std::move(text));
  }
  std::vector<Fault> Of(const model::EntityId& entity) const {
    std::lock_guard lock(mutex_);
    auto found = things_.find(entity);
    return found == things_.end() ? std::vector<Fault>() : found->second->faults;
  }

 private:
  struct Thing {
    model::EntityId entity;
    std::vector<Fault> faults;
  };
  mutable std::mutex mutex_;
  std::list<Thing> newest_last_;
  std::unordered_map<model::EntityId, std::list<Thing>::iterator> things_;
};

}  // namespace fleetward::ingest
